import { writeSync } from 'node:fs';

const answer = (result) => writeSync(1, `\u001e${JSON.stringify({ jsonrpc: '2.0', id: 1, result })}\n`);

export function execute() {
  answer('first');
  throw new Error('second');
}
