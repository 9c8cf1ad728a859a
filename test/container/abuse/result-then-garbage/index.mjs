import { writeSync } from 'node:fs';

const answer = (result) => writeSync(1, `\u001e${JSON.stringify({ jsonrpc: '2.0', id: 1, result })}\n`);

export function execute() {
  answer('written');
  writeSync(1, '\u001egarbage\n\u001e{"jsonrpc":"2.0","method":"ready"}\n');
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
