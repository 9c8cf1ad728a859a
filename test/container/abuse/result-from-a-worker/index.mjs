import { Worker } from 'node:worker_threads';

const FORGE = `require('node:fs').writeSync(1, '\\u001e{"jsonrpc":"2.0","id":1,"result":"forged"}\\n')`;

export function execute() {
  new Worker(FORGE, { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
