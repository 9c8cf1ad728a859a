import pino from 'pino';

export function execute() {
  const transport = pino.transport({ target: 'pino/file', options: { destination: 1 } });
  const logger = pino({ base: null, timestamp: false }, transport);
  for (let line = 1; line <= 3; line++) logger.info(`line ${line}`);
  return 'logged';
}
