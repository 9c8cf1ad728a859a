import {
  closeSync,
  ftruncateSync,
  openSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute() {
  const file = openSync('/tmp/sparse', 'w');
  return tryAll({
    terabyte: () => ftruncateSync(file, 2 ** 40),
    largest: () => ftruncateSync(file, Number.MAX_SAFE_INTEGER),
    justAbove: () => ftruncateSync(file, statfsSync('/tmp').blocks * 4096 + 1),
    atTheEnd: () => writeSync(file, 'x', 2 ** 40),
    byPath: () => truncateSync('/tmp/sparse', 2 ** 50),
    many: () => {
      for (let index = 0; index < 100; index++) writeFileSync(`/tmp/${index}`, Buffer.alloc(1 << 20));
    },
    closed: () => `${closeSync(file) === undefined}`,
  });
}
