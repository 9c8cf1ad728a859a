import { writeSync } from 'node:fs';

export function execute() {
  for (;;) {
    writeSync(2, 'e\n'.repeat(2000));
    writeSync(1, 'o\n'.repeat(200));
  }
}
