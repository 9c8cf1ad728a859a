import { closeSync, mkdirSync, openSync, symlinkSync } from 'node:fs';

const MAKE = [
  (path) => closeSync(openSync(path, 'w')),
  (path) => mkdirSync(path),
  (path) => symlinkSync('/', path),
];

export function execute() {
  for (let made = 0; ; made++) {
    try {
      MAKE[made % MAKE.length](`/tmp/${made}`);
    } catch (error) {
      return { code: error.code, most: made <= 4096, many: made > 4000 };
    }
  }
}
