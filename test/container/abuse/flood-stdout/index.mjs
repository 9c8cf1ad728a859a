import { writeSync } from 'node:fs';

export function execute() {
  for (;;) writeSync(1, 'flood\n'.repeat(1000));
}
