import { writeSync } from 'node:fs';

const KEY = 'k'.repeat(10_000);

export function execute() {
  writeSync(1, `\u001e{"jsonrpc":"2.0","id":1,"result":{"${KEY}":1,"${KEY}":2}}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
