import { expect, test } from 'vitest';
import { isDebianLike } from '../../scripts/set-up.ts';

test.each([
  [true, 'Debian', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'],
  [true, 'Ubuntu', 'ID=ubuntu\nID_LIKE=debian\n'],
  [true, 'Linux Mint', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'],
  [false, 'Fedora', 'NAME="Fedora Linux"\nID=fedora\n'],
  [
    false,
    'a system that only mentions Debian',
    'ID=notdebian\nHOME_URL="https://debian"\nVARIANT_ID=debian\n',
  ],
  [false, 'a system without the file', ''],
])('the set-up says %s for %s', (expected, _system, osRelease) => {
  expect(isDebianLike(osRelease)).toBe(expected);
});
