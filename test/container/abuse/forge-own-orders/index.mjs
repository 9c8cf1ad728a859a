import { constants, openSync, writeSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

let calls = 0;

export async function execute() {
  if (++calls > 1) return 'a second answer';
  const order = (method, params) => `\x1e${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`;
  const input = openSync('/proc/self/fd/0', constants.O_WRONLY | constants.O_NONBLOCK);
  writeSync(input, order('execute', { entryPoint: '/plugin/index.mjs', context: {} }));
  writeSync(input, order('execute', { entryPoint: '/etc/passwd', context: {} }));
  writeSync(input, order('cancel'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const answers = await tryAll({
    stdout: () => `${openSync('/proc/self/fd/1', constants.O_RDONLY | constants.O_NONBLOCK) > 2}`,
    terminal: () => openSync('/dev/tty', 'r+'),
    console: () => openSync('/dev/console', 'r+'),
  });
  return { calls, ...answers };
}
