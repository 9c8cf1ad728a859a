import { writeSync } from 'node:fs';

const answer = (result) => writeSync(1, `\u001e${JSON.stringify({ jsonrpc: '2.0', id: 1, result })}\n`);

export async function execute() {
  await new Promise((resolve) => setTimeout(resolve, 1200));
  answer('in time');
  for (;;);
}
