import { writeSync } from 'node:fs';

export function execute() {
  writeSync(1, Buffer.alloc(500_000, 0x1e));
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
