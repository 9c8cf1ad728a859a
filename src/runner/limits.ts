import { MAX_RESULT_KEY_BYTES } from '../protocol/messages.ts';
import { byteLength, stringify } from './primordials.ts';

/** The warning about a value that did not cross unchanged. */
export interface BorderWarning {
  readonly path: string;
  readonly message: string;
}

/** A value has no form on the other side, or has too much of one. */
export class BorderError extends Error {
  /** `limit`: of what there is too much, the rest could cross. */
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
    // The words are the whole of it, and where it was thrown is nothing of the plugin's.
    this.name = '';
    this.stack = '';
    this.kind = kind;
    this.reason = reason;
  }
}

export interface BorderLimits {
  /** Lists and objects in each other. */
  readonly depth: number;
  /** Of every kind, lists and objects too. */
  readonly values: number;
  /** Of the whole as JSON: what has more characters of text than that is not put together first. */
  readonly bytes: number;
}

/** Of one character as JSON. */
const MAX_BYTES_PER_CHAR = 6;
/** So many times too much is put together all the same, to say what the largest part of it is. */
export const ROOM_FOR_A_LOOK = 4;

/** Whether the host reads so long a key; to look at it closer is seldom worth it. */
export function isKeyTooLong(key: string): boolean {
  return (
    key.length * MAX_BYTES_PER_CHAR > MAX_RESULT_KEY_BYTES &&
    byteLength(stringify(key)) > MAX_RESULT_KEY_BYTES
  );
}
