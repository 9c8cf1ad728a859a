import { writeSync } from 'node:fs';

const RECORD = '{"jsonrpc":"2.0","method":"__proto__","params":{"polluted":true}}';

export function execute() {
  writeSync(1, `\u001e${RECORD}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
