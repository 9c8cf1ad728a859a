import { pino } from 'pino';
import { escapeControlsInLines } from './printable.ts';

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

/** A logger that throws changes nothing of what it is told about; one without children hears for them itself. */
export function toHarmless(logger: Logger): Logger {
  const tell = (level: 'debug' | 'info' | 'warn' | 'error') => (facts: object, message: string) => {
    try {
      logger[level](facts, message);
    } catch {
      // There is nobody to tell.
    }
  };
  const child = (facts: object): Logger => {
    try {
      return toHarmless(logger.child(facts));
    } catch {
      return harmless;
    }
  };
  const harmless = {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child,
  };
  return harmless;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/**
 * JSON lines on stderr, written before the call returns: a process that is about to end loses none. JSON escapes no more than
 * a line needs; what steers a terminal is escaped besides, which leaves the meaning as it is.
 */
export function createLogger(level: (typeof LOG_LEVELS)[number]): Logger {
  const stderr = pino.destination({ dest: 2, sync: true });
  return pino({ level }, { write: (line) => stderr.write(escapeControlsInLines(line)) });
}
