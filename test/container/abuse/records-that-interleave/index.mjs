import { Worker } from 'node:worker_threads';

const WRITE = `
  const { writeSync } = require('node:fs');
  const bytes = Buffer.from('\\u001e{"jsonrpc":"2.0","id":1,"result":"' + 'x'.repeat(2000) + '"}\\n');
  for (;;) for (let at = 0; at < bytes.length; ) try { at += writeSync(1, bytes, at, 1); } catch {}
`;

export function execute() {
  for (let index = 0; index < 3; index++) new Worker(WRITE, { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
