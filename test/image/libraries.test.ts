import { describe, expect, test } from 'vitest';
import { findLibraries, unresolved } from '../../src/image/libraries.ts';

const LISTING = `\tlinux-vdso.so.1 (0x00007ffe)
\tlibc.so.6 => /tmp/root/lib/libc.so.6 (0x00007f12)
\t/lib64/ld-linux-x86-64.so.2 => /tmp/root/lib64/ld-linux-x86-64.so.2 (0x00007f34)
`;

describe('unresolved', () => {
  test.each([
    ['finds nothing when everything lies in the root', LISTING, null],
    [
      'finds a library of the host',
      LISTING.replace('/tmp/root/lib/libc', '/lib/libc'),
      'libc.so.6 => /lib/libc.so.6 (0x00007f12)',
    ],
    [
      'finds a library in a folder whose name begins like the root',
      LISTING.replace('/tmp/root/lib/libc', '/tmp/root-of-another/libc'),
      'libc.so.6 => /tmp/root-of-another/libc.so.6 (0x00007f12)',
    ],
    ['finds a missing library', '\tlibatomic.so.1 => not found\n', 'libatomic.so.1 => not found'],
    ['takes silence for a fault', '', 'the loader listed no library'],
  ])('%s', (_, listing, expected) => {
    expect(unresolved(listing, '/tmp/root')).toBe(expected);
  });
});

test('libraries of another architecture are not used for this one', async () => {
  const other = process.arch === 'x64' ? 'arm64' : 'amd64';
  expect(await findLibraries(other)).toBeNull();
});
