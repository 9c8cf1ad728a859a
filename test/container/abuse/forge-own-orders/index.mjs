import { constants, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

let calls = 0;

/** Pipes of which this process has one end alone, but for those that it writes to: wherever the orders come in. */
function inputs() {
  const targets = readdirSync('/proc/self/fd').map((fd) => [fd, attemptLink(`/proc/self/fd/${fd}`)]);
  const isAlone = (target) => targets.filter(([, other]) => other === target).length === 1;
  return targets.filter(
    ([fd, target]) => !['1', '2'].includes(fd) && target.startsWith('pipe:') && isAlone(target),
  );
}

function attemptLink(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

export async function execute() {
  if (++calls > 1) return 'a second answer';
  const order = (method, params) => `\x1e${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`;
  for (const [fd] of inputs()) {
    const input = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(input, order('execute', { entryPoint: '/plugin/index.mjs', context: {} }));
    writeSync(input, order('execute', { entryPoint: '/etc/passwd', context: {} }));
    writeSync(input, order('cancel'));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  const answers = await tryAll({
    stdout: () => `${openSync('/proc/self/fd/1', constants.O_RDONLY | constants.O_NONBLOCK) > 2}`,
    terminal: () => openSync('/dev/tty', 'r+'),
    console: () => openSync('/dev/console', 'r+'),
  });
  return { calls, ...answers };
}
