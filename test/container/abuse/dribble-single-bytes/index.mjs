import { writeSync } from 'node:fs';

export function execute() {
  const byte = Buffer.from('x');
  for (let index = 0; index < 200_000; index++) writeSync(1, byte);
  return 'dribbled';
}
