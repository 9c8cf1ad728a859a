import { once } from 'node:events';
import pino from 'pino';

export async function execute() {
  const transport = pino.transport({ target: 'pino/file', options: { destination: 1 } });
  const logger = pino({ base: null, timestamp: false }, transport);
  for (let line = 1; line <= 3; line++) logger.info(`line ${line}`);
  // Its thread keeps nothing waiting by itself.
  const waiting = setTimeout(() => {}, 10_000);
  transport.end();
  await once(transport, 'close');
  clearTimeout(waiting);
  return 'logged';
}
