import { writeSync } from 'node:fs';

export function execute() {
  writeSync(1, '\u001e{"jsonrpc":"2.0","id":1,"result":"un');
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
