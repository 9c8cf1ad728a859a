import { writeSync } from 'node:fs';

export function execute() {
  const chunk = Buffer.from('x\n'.repeat(25_000));
  for (let index = 0; index < 20; index++) writeSync(1, chunk);
  return 'still here';
}
