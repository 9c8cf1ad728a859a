import { expect, test } from 'vitest';
import { runPlugin } from './run.ts';

/** As the transport of a logger: it is started with the plugin, and prints what it is sent when it is up. */
const TRANSPORT = `
  import { Worker } from 'node:worker_threads';
  const source = "const { parentPort } = require('node:worker_threads'); const { writeSync } = require('node:fs');"
    + "import('node:zlib').then(() => parentPort.on('message', (line) => writeSync(1, line + String.fromCharCode(10))));";
  const worker = new Worker(source, { eval: true });
  worker.unref();
  const log = (line) => worker.postMessage(line);
`;

test('lines of a thread that has just started arrive before the answer, even an error', async () => {
  const { lines, response } = await runPlugin({
    code: `${TRANSPORT}
      export const execute = () => {
        for (let index = 0; index < 50; index++) log('line ' + index);
        throw new Error('why');
      };`,
  });
  expect(response?.error?.message).toBe('why');
  expect(lines).toHaveLength(50);
  expect(lines.at(-1)).toBe('line 49');
});

test('an answer waits neither for a busy thread nor for a broken one', async () => {
  const { response } = await runPlugin({
    code: `
      import { Worker } from 'node:worker_threads';
      const burning = new Worker('for (;;);', { eval: true });
      const broken = new Worker('setInterval(() => {}, 1000)', { eval: true });
      Object.defineProperty(broken, 'performance', { get() { throw new Error('no'); } });
      export const execute = () => 42;`,
  });
  expect(response?.result).toBe(42);
});
