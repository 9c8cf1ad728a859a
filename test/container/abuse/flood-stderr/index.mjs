import { writeSync } from 'node:fs';

export function execute() {
  const chunk = Buffer.from('e\n'.repeat(32_000));
  for (let index = 0; index < 400; index++) writeSync(2, chunk);
  return 'still here';
}
