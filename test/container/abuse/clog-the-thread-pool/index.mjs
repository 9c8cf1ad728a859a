import { pbkdf2 } from 'node:crypto';

export function execute() {
  for (let index = 0; index < 64; index++) pbkdf2('x', 'y', 2 ** 31 - 1, 1024, 'sha512', () => {});
  return new Promise(() => {});
}
