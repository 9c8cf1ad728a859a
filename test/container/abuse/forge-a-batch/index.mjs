import { writeSync } from 'node:fs';

const RECORD = '[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":1,"result":2}]';

export function execute() {
  writeSync(1, `\u001e${RECORD}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
