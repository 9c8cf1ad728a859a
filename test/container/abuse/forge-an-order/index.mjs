import { writeSync } from 'node:fs';

const RECORD =
  '{"jsonrpc":"2.0","id":1,"method":"execute","params":{"entryPoint":"/etc/passwd","context":{}}}';

export async function execute() {
  writeSync(1, `\u001e${RECORD}\n`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return 'goes on';
}
