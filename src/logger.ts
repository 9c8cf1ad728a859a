import { createRequire } from 'node:module';
import type { pino as Pino } from 'pino';
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
export function toSafeLogger(logger: Logger): Logger {
  const tell = (level: 'debug' | 'info' | 'warn' | 'error') => (facts: object, message: string) => {
    try {
      logger[level](facts, message);
    } catch {
      // There is nobody to tell.
    }
  };
  const child = (facts: object): Logger => {
    try {
      return toSafeLogger(logger.child(facts));
    } catch {
      return safe;
    }
  };
  const safe = {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child,
  };
  return safe;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/**
 * JSON lines on stderr, written before the call returns: a process that is about to end loses none. JSON escapes no more than
 * a line needs; what steers a terminal is escaped besides, which leaves the meaning as it is.
 */
export function createLogger(level: (typeof LOG_LEVELS)[number]): Logger {
  return onFirstLine(level, () => {
    // Loading it takes longer than most commands do, and most have nothing to log.
    const { pino } = createRequire(import.meta.url)('pino') as { pino: typeof Pino };
    const stderr = pino.destination({ dest: 2, sync: true });
    return pino({ level }, { write: (line) => stderr.write(escapeControlsInLines(line)) });
  });
}

/** A logger that is made for the first line that its level lets through. */
function onFirstLine(level: (typeof LOG_LEVELS)[number], make: () => Logger): Logger {
  let made: Logger | undefined;
  const logger = (): Logger => {
    made ??= make();
    return made;
  };
  const tell = (own: 'debug' | 'info' | 'warn' | 'error') =>
    LOG_LEVELS.indexOf(own) < LOG_LEVELS.indexOf(level)
      ? () => {}
      : (facts: object, message: string) => logger()[own](facts, message);
  return {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child: (facts) => onFirstLine(level, () => logger().child(facts)),
  };
}
