import { writeSync } from 'node:fs';

const RECORD = '{"jsonrpc":"2.0","id":7,"method":"fetch","params":{"url":"http://169.254.169.254/"}}';

export function execute() {
  writeSync(1, `\u001e${RECORD}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
