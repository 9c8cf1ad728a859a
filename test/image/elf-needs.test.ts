import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inMemory, readElfNeeds } from '../../src/image/elf-needs.ts';
import { elfFile } from '../helpers/elf-file.ts';

const read = (bytes: Buffer) => readElfNeeds(inMemory(bytes));

describe('readElfNeeds', () => {
  test('returns what the dynamic loader would do with a file', () => {
    const file = elfFile({
      machine: 183,
      needed: ['libb.so.1', 'libc.so.6'],
      runpath: '$ORIGIN/../lib:/usr/local/lib',
      versions: { 'libc.so.6': ['GLIBC_2.17', 'GLIBC_2.38'], 'libm.so.6': ['GLIBC_2.29'] },
    });
    expect(read(file)).toEqual({
      architecture: 'arm64',
      isForeign: false,
      libraries: ['libb.so.1', 'libc.so.6'],
      searched: { folders: ['$ORIGIN/../lib', '/usr/local/lib'], isInherited: false },
      versions: new Map([
        ['libc.so.6', ['GLIBC_2.17', 'GLIBC_2.38']],
        ['libm.so.6', ['GLIBC_2.29']],
      ]),
      defines: [],
    });
  });

  test('knows the older way of naming folders, which holds for what is needed in turn', () => {
    expect(read(elfFile({ rpath: '/a' }))?.searched).toEqual({ folders: ['/a'], isInherited: true });
    expect(read(elfFile({ rpath: '/a', runpath: '/b' }))?.searched).toEqual({
      folders: ['/b'],
      isInherited: false,
    });
  });

  test('asks for no version that may be missing', () => {
    const file = elfFile({ versions: { 'libc.so.6': ['GLIBC_2.4', 'GLIBC_9.9'] }, weak: ['GLIBC_9.9'] });
    expect(read(file)?.versions.get('libc.so.6')).toEqual(['GLIBC_2.4']);
  });

  test('recognizes other systems by the header', () => {
    expect(read(elfFile({ abi: 9 }))?.isForeign).toBe(true);
    expect(read(elfFile({ abi: 3 }))?.isForeign).toBe(false);
  });

  test('reads what real compilers and linkers write', async () => {
    const needs = read(await readFile(process.execPath));
    expect(needs?.libraries).toContain('libc.so.6');
    expect(needs?.versions.get('libc.so.6')).toContain('GLIBC_2.16');
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a script', Buffer.from(`#!/bin/sh\n${'#'.repeat(100)}`)],
    ['a file for Windows', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200)])],
    ['a file that is cut off in its headers', elfFile().subarray(0, 100)],
  ])('returns nothing for %s', (_, bytes) => {
    expect(read(bytes)).toBeNull();
  });
});

/** All that can be wrong in a file: some bytes of a good one are others. */
const BROKEN = fc
  .record({
    cut: fc.nat(700),
    changes: fc.array(fc.tuple(fc.nat(700), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { maxLength: 40 }),
  })
  .map(({ cut, changes }) => {
    const file = elfFile({
      needed: ['libb.so.1', 'libc.so.6'],
      runpath: '$ORIGIN',
      versions: { 'libc.so.6': ['GLIBC_2.17'], 'libm.so.6': ['GLIBC_2.29'] },
    });
    for (const [at, byte] of changes) if (at >= 8 && at < file.length) file[at] = byte;
    return file.subarray(0, Math.max(64, file.length - (cut % 3 === 0 ? cut : 0)));
  });

describe('an untrusted native file', () => {
  test('is read in small parts, within its bounds, without an error (P10)', () => {
    fc.assert(
      fc.property(BROKEN, (bytes) => {
        let asked = 0;
        const file = inMemory(bytes);
        const needs = readElfNeeds({
          sizeBytes: file.sizeBytes,
          read: (at, length) => {
            asked += length;
            return file.read(at, length);
          },
        });
        expect(asked).toBeLessThan(4 * 1024 * 1024);
        expect(needs?.libraries.length ?? 0).toBeLessThanOrEqual(128);
      }),
      { numRuns: 2_000 },
    );
  });

  test('cannot have endless lists (P10)', () => {
    const file = elfFile({ versions: { 'libc.so.6': ['GLIBC_2.17'] } });
    const entry = file.indexOf(Buffer.from([1, 0, 1, 0]), 64);
    // The one library leads on to bytes that say the same for ever.
    file.writeUInt32LE(1, entry + 12);
    const beganAt = performance.now();
    read(Buffer.concat([file, Buffer.alloc(1024 * 1024, 1)]));
    expect(performance.now() - beganAt).toBeLessThan(1_000);
  });
});
