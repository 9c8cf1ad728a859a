import { writeSync } from 'node:fs';

export function execute() {
  const bytes = Buffer.from(`\u001e{"jsonrpc":"2.0","id":1,"result":1${' \t\r'.repeat(5_000_000)}}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
