import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readElf } from '../../src/image/elf.ts';

const PT_LOAD = 1;
const PT_INTERP = 3;

function elf({ machine = 62, bits = 2, endianness = 1, segments = [PT_LOAD] } = {}): Buffer {
  const file = Buffer.alloc(64 + 56 * segments.length);
  file.writeUInt32BE(0x7f454c46, 0);
  file[4] = bits;
  file[5] = endianness;
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(segments.length, 56);
  for (const [index, type] of segments.entries()) file.writeUInt32LE(type, 64 + 56 * index);
  return file;
}

describe('readElf', () => {
  test.each([
    ['a static program for amd64', elf(), { architecture: 'amd64', hasInterpreter: false }],
    ['a static program for arm64', elf({ machine: 183 }), { architecture: 'arm64', hasInterpreter: false }],
    ['another machine', elf({ machine: 243 }), { architecture: 'other', hasInterpreter: false }],
    [
      'a program with a loader',
      elf({ segments: [PT_LOAD, PT_INTERP] }),
      { architecture: 'amd64', hasInterpreter: true },
    ],
    ['a 32-bit program', elf({ bits: 1 }), null],
    ['a big-endian program', elf({ endianness: 2 }), null],
    ['a script', Buffer.from(`#!/bin/sh\n${'#'.repeat(100)}`), null],
    ['an empty file', Buffer.alloc(0), null],
    ['a file cut off in its program headers', elf().subarray(0, 80), null],
  ])('reads %s', (_, file, header) => {
    expect(readElf(file)).toEqual(header);
  });

  test('sees that the Node that runs this has a loader', async () => {
    expect(readElf(await readFile(process.execPath))?.hasInterpreter).toBe(true);
  });
});
