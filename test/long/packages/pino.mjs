import pino from 'pino';

export function execute() {
  const logger = pino({ base: null, timestamp: false });
  logger.info({ user: 7 }, 'first');
  logger.child({ part: 'b' }).warn('second');
  return 'logged';
}
