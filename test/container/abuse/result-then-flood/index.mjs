import { writeSync } from 'node:fs';

export function execute() {
  setImmediate(() => {
    for (;;) writeSync(1, 'x\n'.repeat(10_000));
  });
  return 'returned';
}
