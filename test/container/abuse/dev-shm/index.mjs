import { mkdirSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute() {
  return tryAll({
    write: () => writeFileSync('/dev/shm/x', 'x'),
    make: () => mkdirSync('/dev/shm'),
    queue: () => mkdirSync('/dev/mqueue'),
    device: () => writeFileSync('/dev/x', 'x'),
  });
}
