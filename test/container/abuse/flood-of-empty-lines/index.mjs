import { writeSync } from 'node:fs';

export function execute() {
  const chunk = Buffer.alloc(50_000, '\n');
  for (let index = 0; index < 20; index++) writeSync(1, chunk);
  return 'nothing was said';
}
