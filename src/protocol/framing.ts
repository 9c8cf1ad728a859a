/**
 * JSON text sequences: each record is `0x1E`, JSON, `0x0A`.
 * @see https://www.rfc-editor.org/rfc/rfc7464
 */
export const RECORD_START = 0x1e;
export const RECORD_END = 0x0a;

/** One JSON text as a record. The text holds no raw line feed, since JSON escapes control characters in strings. */
export function frameRecord(json: string): string {
  return `\u001e${json}\n`;
}

export type Piece =
  | { readonly kind: 'record'; readonly bytes: Buffer }
  /** A line that was printed outside any record, without its line feed. */
  | { readonly kind: 'line'; readonly bytes: Buffer }
  | { readonly kind: 'overflow'; readonly limitBytes: number };

export interface FramingLimits {
  readonly maxRecordBytes: number;
  /** A longer line is cut here and its rest dropped. */
  readonly maxLineBytes: number;
  /** Whether `0x1E` starts a record; on stderr it is a byte like any other. @default true */
  readonly records?: boolean;
}

/**
 * Splits a byte stream into records and stray lines. Holds at most one unfinished record or line; a record that grows
 * over its limit is reported once as `overflow`, and nothing after it is read.
 */
export class RecordReader {
  readonly #limits: FramingLimits;
  #kept = Buffer.alloc(4096);
  #bytes = 0;
  #inRecord = false;
  #overflowed = false;

  constructor(limits: FramingLimits) {
    this.#limits = limits;
  }

  *push(chunk: Buffer): Generator<Piece> {
    let at = 0;
    while (at < chunk.length && !this.#overflowed) {
      const end = this.#endOf(chunk, at);
      this.#append(chunk.subarray(at, end));
      if (this.#overflowed) {
        yield { kind: 'overflow', limitBytes: this.#limits.maxRecordBytes };
        return;
      }
      if (end === chunk.length) return;
      // A record start inside a stray line ends that line: what the plugin left unfinished cannot hide a record.
      const startsRecord = chunk[end] === RECORD_START;
      // An empty line says nothing.
      if (this.#inRecord || this.#bytes > 0) yield this.#take();
      this.#inRecord = startsRecord;
      at = end + 1;
    }
  }

  /** What is left when the stream has ended: an unfinished line, or nothing. An unfinished record is no record. */
  *end(): Generator<Piece> {
    if (this.#inRecord || this.#bytes === 0) return;
    yield this.#take();
  }

  #endOf(chunk: Buffer, from: number): number {
    const lineFeed = chunk.indexOf(RECORD_END, from);
    const end = lineFeed === -1 ? chunk.length : lineFeed;
    if (this.#limits.records === false) return end;
    const start = chunk.subarray(from, end).indexOf(RECORD_START);
    return start === -1 ? end : from + start;
  }

  #append(bytes: Buffer): void {
    if (this.#inRecord) {
      this.#overflowed = this.#bytes + bytes.length > this.#limits.maxRecordBytes;
      if (!this.#overflowed) this.#keep(bytes);
      return;
    }
    this.#keep(bytes.subarray(0, Math.max(0, this.#limits.maxLineBytes - this.#bytes)));
  }

  // One growing buffer and not a list of slices: a writer of single bytes would make each of them an object.
  #keep(bytes: Buffer): void {
    const needed = this.#bytes + bytes.length;
    if (needed > this.#kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#kept.length * 2));
      this.#kept.copy(larger, 0, 0, this.#bytes);
      this.#kept = larger;
    }
    bytes.copy(this.#kept, this.#bytes);
    this.#bytes = needed;
  }

  #take(): Piece {
    const bytes = Buffer.from(this.#kept.subarray(0, this.#bytes));
    const kind = this.#inRecord ? 'record' : 'line';
    this.#bytes = 0;
    this.#inRecord = false;
    return { kind, bytes };
  }
}
