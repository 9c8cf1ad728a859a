import { pino } from 'pino';

/** What lurkbox needs of a logger; a pino logger is one. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(facts: object): Logger;
}

export const SILENT_LOGGER: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => SILENT_LOGGER,
};

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** JSON lines on stderr, written before the call returns: a process that is about to end loses none. */
export function createLogger(level: (typeof LOG_LEVELS)[number]): Logger {
  return pino({ level }, pino.destination({ dest: 2, sync: true }));
}
