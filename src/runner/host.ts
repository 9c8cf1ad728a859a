import { format } from 'node:util';
import type { LogLevel } from '../protocol/messages.ts';
import { quote, sendNotification } from './channel.ts';
import { sendLog } from './console.ts';
import { freeze, isFiniteNumber, isNotANumber, toLowerCase, toStringOf } from './primordials.ts';

const now = performance.now.bind(performance);

/** With the names that other loggers have for them. */
const LOG_LEVELS: Readonly<Record<string, LogLevel | null>> = freeze({
  __proto__: null,
  trace: 'debug',
  verbose: 'debug',
  debug: 'debug',
  log: 'info',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'error',
  fatal: 'error',
});

export interface HostOptions {
  /** Whether its execution has not been answered yet. */
  readonly isOpen: () => boolean;
  readonly signal: AbortSignal;
}

/** The host reads every report, and people see no difference between more frequent ones. */
const PROGRESS_PERIOD_MS = 10;

export interface Host {
  /** What a plugin gets beside its context. */
  readonly face: object;
  /** Sends the last progress, if it was held back. */
  flush(): void;
}

export function createHost({ isOpen, signal }: HostOptions): Host {
  let isOdd = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  let held: string | null = null;
  const flush = (): void => {
    if (held !== null) sendNotification('progress', held);
    held = null;
  };
  const face = freeze({
    /** As `console` prints it: objects are shown, and further arguments follow. What names no level is part of the message. */
    log: (...values: unknown[]): void => {
      if (!isOpen()) return;
      const level = levelOf(values[0]);
      sendLog(level ?? 'info', toText(level === null ? values : withoutFirst(values)));
    },
    /** A sum of fractions is seldom exactly 1, so a fraction outside of 0 to 1 is clamped and never fails a call. */
    progress: (fraction: unknown, message: unknown = ''): void => {
      if (!isOpen()) return;
      const clamped = toFraction(fraction);
      if (clamped === null || (clamped !== fraction && !isRounding(fraction))) tellOdd(fraction);
      if (clamped === null) return;
      held = `{"fraction":${clamped},"message":${quote(toText([message]))}}`;
      const time = now();
      if (time - toldAt < PROGRESS_PERIOD_MS) return;
      toldAt = time;
      flush();
    },
    signal,
  });
  return { face, flush };

  function tellOdd(fraction: unknown): void {
    if (isOdd) return;
    isOdd = true;
    const message = `\`host.progress\` got ${toText([fraction])}, expected a fraction from 0 to 1; what lies outside is moved there, what is no number is left out`;
    sendNotification('warning', `{"path":"","message":${quote(message)}}`);
  }
}

function levelOf(value: unknown): LogLevel | null {
  if (value === undefined) return 'info';
  return typeof value === 'string' ? (LOG_LEVELS[toLowerCase(value)] ?? null) : null;
}

/** Copies by index, because the plugin may have replaced the iterator of lists. */
function withoutFirst(values: readonly unknown[]): unknown[] {
  const others: unknown[] = [];
  for (let index = 1; index < values.length; index++) others[index - 1] = values[index];
  return others;
}

function toFraction(value: unknown): number | null {
  if (typeof value !== 'number' || isNotANumber(value)) return null;
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

function isRounding(value: unknown): boolean {
  return isFiniteNumber(value) && (value as number) > -1e-9 && (value as number) < 1 + 1e-9;
}

function toText(values: readonly unknown[]): string {
  try {
    return format(...values);
  } catch {
    try {
      return toStringOf(values[0]);
    } catch {
      return 'a value that cannot be shown';
    }
  }
}
