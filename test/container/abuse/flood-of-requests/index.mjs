import { writeSync } from 'node:fs';

export async function execute() {
  const params = JSON.stringify({ text: 'x'.repeat(1_000) });
  for (let id = 1; ; id++) {
    writeSync(1, `\u001e{"jsonrpc":"2.0","id":${id},"method":"fetch","params":${params}}\n`);
    // So that the answers are read.
    if (id % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
