import { writeSync } from 'node:fs';

export function execute() {
  for (let id = 1; ; id++) writeSync(1, `\u001e{"jsonrpc":"2.0","id":${id},"method":"a"}\n`);
}
