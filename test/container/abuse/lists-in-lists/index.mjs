import { writeSync } from 'node:fs';

const NESTED = `${'['.repeat(55)}${']'.repeat(55)}`;

export function execute() {
  const list = `[${Array.from({ length: 90_000 }, () => NESTED).join(',')}]`;
  const bytes = Buffer.from(`\u001e{"jsonrpc":"2.0","id":1,"result":${list}}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
