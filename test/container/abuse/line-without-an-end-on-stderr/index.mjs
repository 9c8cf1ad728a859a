import { writeSync } from 'node:fs';

const CHUNK = Buffer.alloc(64 * 1024, 'e');

export function execute() {
  for (let index = 0; index < 400; index++) writeSync(2, CHUNK);
  return 'after 25 MB';
}
