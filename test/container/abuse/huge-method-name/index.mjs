import { writeSync } from 'node:fs';

export function execute() {
  writeSync(1, `\u001e{"jsonrpc":"2.0","method":"${'m'.repeat(900_000)}"}\n`);
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
