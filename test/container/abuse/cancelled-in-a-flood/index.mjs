import { writeSync } from 'node:fs';

const CHUNK = Buffer.alloc(64 * 1024, 'x\n');

/** On stderr, which has no end of its own. */
export function execute() {
  for (;;) {
    try {
      writeSync(2, CHUNK);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}
