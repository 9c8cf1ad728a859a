import { writeSync } from 'node:fs';

const CHUNK = Buffer.alloc(64 * 1024, 'x');

export function execute() {
  for (;;) writeSync(1, CHUNK);
}
