import { cutWhole, escapeControls } from '../printable.ts';
import { RECORD_END as LINE_FEED, RecordReader } from '../protocol/framing.ts';
import type { LogLevel } from '../protocol/messages.ts';
import type { LogLine } from './result.ts';
import { MAX_LINE_BYTES, readLogRecord, type Surplus } from './surplus.ts';

/** Bytes of the end of a long log that are kept, beside its first lines. */
const LOG_TAIL = { lines: 300, bytes: 64 * 1024 } as const;
/** An honest runner sends fewer. */
const MAX_WARNINGS = 40;
const MAX_WARNING_CHARS = 1_000;

/** The log lines of one execution: the first and the last ones; what lies between is counted and not kept. */
export class LogBook {
  readonly #head: LogLine[] = [];
  #tail: Surplus[] = [];
  /** What was taken off the beginning and not moved yet: to move the rest each time would take as long as there are pieces. */
  #tailStart = 0;
  #tailBytes = 0;
  /** Of what was counted. */
  readonly #lastByte = { stdout: LINE_FEED, stderr: LINE_FEED };
  #surplusLines = 0;
  /** Whether something was taken off the beginning of the tail: then that may begin in the middle of a line. */
  #isCut = false;
  #cutLines = 0;
  readonly #told: string[] = [];

  add(level: LogLevel, source: LogLine['source'], message: string): void {
    this.#head.push({ level, source, message });
  }

  /** What was printed past the console. */
  addLine(source: 'stdout' | 'stderr', text: string, cutBytes = 0): void {
    if (cutBytes > 0) this.#cutLines++;
    this.add(levelOf(source), source, text);
  }

  /** Beyond what is kept line by line. */
  addSurplus({ source, bytes }: Surplus): void {
    this.#surplusLines += source === 'console' ? 1 : countLines(bytes, this.#lastByte[source]);
    if (source !== 'console') this.#lastByte[source] = bytes.at(-1) ?? LINE_FEED;
    this.#tail.push({ source, bytes });
    this.#tailBytes += bytes.length;
    while (this.#tailBytes > LOG_TAIL.bytes) {
      this.#tailBytes -= this.#tail[this.#tailStart++]?.bytes.length ?? 0;
      this.#isCut = true;
    }
    if (this.#tailStart <= this.#tail.length / 2) return;
    this.#tail = this.#tail.slice(this.#tailStart);
    this.#tailStart = 0;
  }

  /** Warnings about values that did not cross unchanged. */
  warn(path: string, message: string): void {
    if (this.#told.length === MAX_WARNINGS) return;
    const told = path === '' ? message : `\`${path}\` ${message}`;
    // An honest runner quotes keys of the plugin; and a plugin can write one itself.
    this.#told.push(cutWhole(escapeControls(cutWhole(told, MAX_WARNING_CHARS)), MAX_WARNING_CHARS));
  }

  lines(): readonly LogLine[] {
    const tail = this.#readTail();
    const leftOut = this.#leftOut(tail);
    const gap: LogLine[] =
      leftOut === 0
        ? []
        : [{ level: 'warn', source: 'lurkbox', message: `${leftOut} lines are left out here` }];
    return [...this.#head, ...gap, ...tail];
  }

  warnings(): string[] {
    const leftOut = this.#leftOut(this.#readTail());
    return [
      ...this.#told,
      ...(leftOut > 0 ? [`${leftOut} log lines between the first and the last ones were left out`] : []),
      ...(this.#cutLines > 0
        ? [`${this.#cutLines} log lines were longer than ${MAX_LINE_BYTES} bytes and were cut`]
        : []),
    ];
  }

  #leftOut(tail: readonly LogLine[]): number {
    return Math.max(0, this.#surplusLines - tail.length);
  }

  #readTail(): readonly LogLine[] {
    if (this.#tail.length === 0) return [];
    const lines = readSurplus(this.#tail.slice(this.#tailStart));
    return lines.slice(this.#isCut ? 1 : 0).slice(-LOG_TAIL.lines);
  }
}

function readSurplus(surplus: readonly Surplus[]): LogLine[] {
  const limits = { maxRecordBytes: 0, maxLineBytes: MAX_LINE_BYTES, records: false };
  const readers = { stdout: new RecordReader(limits), stderr: new RecordReader(limits) };
  const toLine = (source: 'stdout' | 'stderr', bytes: Buffer): LogLine => ({
    level: levelOf(source),
    source,
    message: bytes.toString('utf8'),
  });
  const lines: LogLine[] = [];
  for (const { source, bytes } of surplus) {
    if (source === 'console') {
      const record = readLogRecord(bytes);
      if (record !== null) lines.push({ level: record.level, source, message: record.message });
    } else
      for (const piece of readers[source].push(bytes))
        if (piece.kind === 'line') lines.push(toLine(source, piece.bytes));
  }
  for (const source of ['stdout', 'stderr'] as const)
    for (const piece of readers[source].end()) lines.push(toLine(source, piece.bytes));
  return lines;
}

/** An empty line says nothing, and is none. `before`: the byte that came before these. */
function countLines(bytes: Buffer, before: number): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1))
    if ((at === 0 ? before : bytes[at - 1]) !== LINE_FEED) count++;
  return count;
}

function levelOf(source: 'stdout' | 'stderr'): LogLevel {
  return source === 'stderr' ? 'warn' : 'info';
}
