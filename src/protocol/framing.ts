/**
 * JSON text sequences: each record is `0x1E`, JSON, `0x0A`.
 * @see https://www.rfc-editor.org/rfc/rfc7464
 */
export const RECORD_START = 0x1e;
export const RECORD_END = 0x0a;

const CARRIAGE_RETURN = 0x0d;

const FIRST_BYTES = 4096;
/** What is larger gets room for all that it may become: growing step by step would leave a copy behind at each of them. */
const LARGE_BYTES = 64 * 1024;

/** One JSON text as a record. The text holds no raw line feed, since JSON escapes control characters in strings. */
export function frameRecord(json: string): string {
  return `\u001e${json}\n`;
}

/** A line that was printed outside any record, without its line feed. */
export interface StrayLine {
  readonly kind: 'line';
  readonly bytes: Buffer;
  /** How many bytes of the line are not there, because it was longer than a line may be. */
  readonly cutBytes: number;
}

export type Piece =
  | StrayLine
  | { readonly kind: 'record'; readonly bytes: Buffer }
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
  #kept = Buffer.alloc(FIRST_BYTES);
  #bytes = 0;
  #cutBytes = 0;
  /** Whether the line that is kept gives way to what comes next: a progress bar draws over itself. */
  #isDrawnOver = false;
  #inRecord = false;
  #overflowed = false;

  constructor(limits: FramingLimits) {
    this.#limits = limits;
  }

  /** Whether a record was begun and has not ended. */
  get isInRecord(): boolean {
    return this.#inRecord;
  }

  /** What the unfinished line or record begins with, where there is one. */
  get heldByte(): number | undefined {
    return this.#bytes === 0 ? undefined : this.#kept[0];
  }

  *push(chunk: Buffer): Generator<Piece> {
    let lineFeed = -1;
    let start = -1;
    for (let at = 0; at < chunk.length && !this.#overflowed; ) {
      // Looked for only when passed: a search for each of many records would go over the whole chunk each time.
      if (lineFeed < at) lineFeed = indexOf(chunk, RECORD_END, at);
      if (start < at)
        start = this.#limits.records === false ? chunk.length : indexOf(chunk, RECORD_START, at);
      const end = Math.min(lineFeed, start);
      if (end > at) this.#append(chunk.subarray(at, end));
      if (this.#overflowed) {
        yield { kind: 'overflow', limitBytes: this.#limits.maxRecordBytes };
        return;
      }
      if (end === chunk.length) return;
      // An empty line says nothing.
      if (this.#inRecord) yield { kind: 'record', bytes: this.#take() };
      else if (this.#bytes > 0) yield this.#takeLine();
      // A record start inside a stray line ends that line: what the plugin left unfinished cannot hide a record.
      this.#inRecord = end === start;
      at = end + 1;
    }
  }

  /** What is left when the stream has ended: an unfinished line, or nothing. An unfinished record is no record. */
  *end(): Generator<StrayLine> {
    if (!this.#inRecord && this.#bytes > 0) yield this.#takeLine();
  }

  #append(bytes: Buffer): void {
    if (this.#inRecord) {
      this.#overflowed = this.#bytes + bytes.length > this.#limits.maxRecordBytes;
      if (!this.#overflowed) this.#keep(bytes);
      return;
    }
    this.#appendLine(bytes);
  }

  /** After a carriage return the next character begins the line anew, unless it is the line feed. */
  #appendLine(bytes: Buffer): void {
    const last = lastDrawing(bytes);
    if (last.start > 0 || (this.#isDrawnOver && last.end > 0)) this.#clearLine();
    this.#isDrawnOver = last.end < bytes.length || (this.#isDrawnOver && last.end === 0);
    const drawn = bytes.subarray(last.start, last.end);
    const kept = drawn.subarray(0, Math.max(0, this.#limits.maxLineBytes - this.#bytes));
    this.#cutBytes += drawn.length - kept.length;
    this.#keep(kept);
  }

  #clearLine(): void {
    this.#bytes = 0;
    this.#cutBytes = 0;
  }

  #takeLine(): StrayLine {
    const cutBytes = this.#cutBytes;
    this.#cutBytes = 0;
    this.#isDrawnOver = false;
    return { kind: 'line', bytes: this.#take(), cutBytes };
  }

  // One growing buffer and not a list of slices: a writer of single bytes would make each of them an object.
  #keep(bytes: Buffer): void {
    const needed = this.#bytes + bytes.length;
    if (needed > this.#kept.length) {
      const larger = Buffer.allocUnsafe(this.#roomFor(needed));
      this.#kept.copy(larger, 0, 0, this.#bytes);
      this.#kept = larger;
    }
    bytes.copy(this.#kept, this.#bytes);
    this.#bytes = needed;
  }

  // Pages that nothing is written to cost nothing.
  #roomFor(needed: number): number {
    if (needed <= LARGE_BYTES) return Math.max(needed, Math.min(this.#kept.length * 2, LARGE_BYTES));
    return Math.max(needed, this.#inRecord ? this.#limits.maxRecordBytes : this.#limits.maxLineBytes);
  }

  /** A copy, or the buffer itself where a copy would cost more than a new buffer. */
  #take(): Buffer {
    const kept = this.#kept.subarray(0, this.#bytes);
    this.#bytes = 0;
    if (kept.length <= LARGE_BYTES || kept.length < this.#kept.length / 2) return Buffer.from(kept);
    this.#kept = Buffer.alloc(FIRST_BYTES);
    return kept;
  }
}

/** What is seen last of bytes without a line feed: what follows the last carriage return that something follows. */
function lastDrawing(bytes: Buffer): { start: number; end: number } {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === CARRIAGE_RETURN) end--;
  const start = end === 0 ? 0 : bytes.lastIndexOf(CARRIAGE_RETURN, end - 1) + 1;
  return { start, end };
}

function indexOf(chunk: Buffer, byte: number, from: number): number {
  const index = chunk.indexOf(byte, from);
  return index === -1 ? chunk.length : index;
}
