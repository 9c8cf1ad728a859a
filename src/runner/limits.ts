import { MAX_RESULT_KEY_BYTES } from '../protocol/messages.ts';
import { byteLength, stringify } from './primordials.ts';

/** The warning about a value that did not cross unchanged. */
export interface BorderWarning {
  readonly path: string;
  readonly message: string;
}

/** A value cannot be written as JSON, or would be too large. */
export class BorderError extends Error {
  /** `limit`: only the size is wrong; the value itself could cross. */
  readonly kind: 'value' | 'limit';
  /** The message without the path. */
  readonly reason: string;
  /** No proxy can be asked for it. */
  readonly #isOurs = true;

  static is(value: unknown): value is BorderError {
    return typeof value === 'object' && value !== null && #isOurs in value;
  }

  constructor(kind: BorderError['kind'], path: string, reason: string) {
    super(`\`${path}\` ${reason}`);
    // Only the message matters: the stack has lines of the runner alone.
    this.name = '';
    this.stack = '';
    this.kind = kind;
    this.reason = reason;
  }
}

export interface BorderLimits {
  /** How deep lists and objects may be nested. */
  readonly depth: number;
  /** Number of values, lists and objects included. */
  readonly values: number;
  /** Bytes of the result as JSON; a text with more characters than that is not put together first. */
  readonly bytes: number;
}

/** Most bytes that one character takes as JSON. */
const MAX_BYTES_PER_CHAR = 6;
/** A result up to this many times too large is still written, so that the error can name its largest part. */
export const ROOM_FOR_A_LOOK = 4;

/** Whether a key is short enough for the host; exact counting is seldom needed. */
export function isKeyTooLong(key: string): boolean {
  return (
    key.length * MAX_BYTES_PER_CHAR > MAX_RESULT_KEY_BYTES &&
    byteLength(stringify(key)) > MAX_RESULT_KEY_BYTES
  );
}
