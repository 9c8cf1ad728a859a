import type { LogLevel } from '../protocol/messages.ts';
import { quote, sendNotification } from './channel.ts';
import { endsWith, reflectApply, reflectSet, slice } from './primordials.ts';

const MAX_LOG_CHARS = 8_000;

const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  trace: 'debug',
  warn: 'warn',
  error: 'error',
  assert: 'error',
};

export function sendLog(level: LogLevel, message: string): void {
  const { length } = message;
  const cut =
    length > MAX_LOG_CHARS ? `${slice(message, 0, MAX_LOG_CHARS)}… (${length} characters)` : message;
  sendNotification('log', `{"level":"${level}","message":${quote(cut)}}`);
}

/** Turns every method of the global console into log records, with Node's own formatting. */
export function captureConsole(): void {
  let level: LogLevel = 'info';
  // As much of a stream as Console asks for; it is written to once per call.
  const sink = {
    write: (text: string): boolean => {
      sendLog(level, endsWith(text, '\n') ? slice(text, 0, -1) : text);
      return true;
    },
    once: () => sink,
    removeListener: () => sink,
    listenerCount: () => 0,
  };
  const stream = sink as unknown as NodeJS.WritableStream;
  const formatting = new console.Console({ stdout: stream, stderr: stream, colorMode: false });
  for (const [name, method] of Object.entries(formatting)) {
    if (typeof method !== 'function') continue;
    reflectSet(console, name, (...args: unknown[]) => {
      level = LEVELS[name] ?? 'info';
      return reflectApply(method, formatting, args);
    });
  }
}
