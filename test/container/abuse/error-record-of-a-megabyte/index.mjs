import { writeSync } from 'node:fs';

export function execute() {
  const text = (letter) => letter.repeat(300_000);
  const error = { code: -32001, message: text('m'), data: { name: text('n'), stack: text('s') } };
  writeSync(1, `\u001e${JSON.stringify({ jsonrpc: '2.0', id: 1, error })}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
