import { writeSync } from 'node:fs';

export function execute() {
  console.log('half \ud83d of one');
  writeSync(1, Buffer.from([0xe4, 0xbb, 0x0a]));
  writeSync(2, Buffer.from([0xff, 0xfe, 0xc0, 0xaf, 0x0a]));
  return 'half \udc4b of another';
}
