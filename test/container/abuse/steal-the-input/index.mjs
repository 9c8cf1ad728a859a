import { readSync } from 'node:fs';

export function execute() {
  const buffer = Buffer.alloc(4096);
  for (;;) {
    try {
      readSync(0, buffer);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}
