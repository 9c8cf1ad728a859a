import { isUtf8 } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { EventLoopYielder } from '../../calls/event-loop-yielder.ts';
import { MAX_LINE_BYTES, type Surplus } from '../../calls/surplus.ts';
import type { OutputSlice } from '../../engine/engine.ts';
import { JsonReader, type JsonReading } from '../../json/reader.ts';
import { type Piece, RECORD_START, RecordReader, type StrayLine } from '../../protocol/framing.ts';
import { RECORD_LIMITS } from '../../protocol/record-limits.ts';
import { parseRunnerMessage, type RunnerMessage, type RunnerRequest } from '../../protocol/runner-message.ts';
import { type Stretch, splitFlood } from './flood.ts';

/** One thing that came out of a container, judged. */
export type OutputItem =
  | { readonly kind: 'message'; readonly message: RunnerMessage }
  /** `bytes`: the length of its record. */
  | { readonly kind: 'request'; readonly request: RunnerRequest; readonly bytes: number }
  | {
      readonly kind: 'line';
      readonly source: Stream;
      readonly text: string;
      /** How many bytes were cut off its end. */
      readonly cutBytes: number;
    }
  | ({ readonly kind: 'surplus' } & Surplus)
  /** All that the execution of that id printed to stderr has come. */
  | { readonly kind: 'outputEnd'; readonly id: number }
  | { readonly kind: 'fault'; readonly outcome: 'OUTPUT_LIMIT' | 'PROTOCOL_ERROR'; readonly reason: string };

/** Log lines of one execution that are read one by one; of what comes after them the end is kept. */
const LOG_HEAD = { lines: 700, bytes: 192 * 1024 } as const;
/** What a container may write of either while nobody calls it: an unfinished record, or the lines, have to be held. */
const MAX_IDLE_BYTES = 64 * 1024;
/** Beside the result a response has a head, and warnings come before it. */
const RESPONSE_BYTES = 16 * 1024;
/** Log lines beyond this are read slowly, so that a plugin that prints without end is slowed down, and not this process. */
const FREE_LOG_BYTES = 8 * 1024 * 1024;
const SLOW_BYTES_PER_MS = 64 * 1024;
/** Steps of the JSON reader between two looks at the clock. */
const STEPS_PER_LOOK = 64;
/** Characters of a container's record that an error message quotes. */
const MAX_QUOTED_CHARS = 300;
/** As the runner writes it: what is long before that is known need not be parsed. */
const LOG_RECORD = Buffer.from('{"jsonrpc":"2.0","method":"log",');
const LINE_FEED = Buffer.from('\n');
const OUTPUT_END = /^\u001e\{"jsonrpc":"2\.0","method":"outputEnd","params":\{"id":(\d{1,15})\}\}$/;

type Stream = 'stdout' | 'stderr';

/** What one execution may still write; while nobody calls, a little of that. */
export class OutputBudget {
  /** Of the result as JSON. */
  readonly maxResultBytes: number;
  #records = 0;
  #logs = { lines: 0, bytes: 0 };
  #idle: Record<Stream, number> | null = null;

  constructor(outputBytes: number) {
    this.maxResultBytes = outputBytes;
  }

  /** Of all records that are no log lines. */
  get maxRecordBytes(): number {
    return this.maxResultBytes + RESPONSE_BYTES;
  }

  /** Nobody waits for what comes from now on. */
  rest(): void {
    this.#idle = { stdout: 0, stderr: 0 };
  }

  /** For the first execution: what came before counts against its budget. */
  open(): void {
    this.#idle = null;
  }

  /** For the next execution in the same container. */
  empty(): void {
    this.#records = 0;
    this.#logs = { lines: 0, bytes: 0 };
    this.open();
  }

  /** Leaves `bytes` uncounted: an answer that the host asked for, and the plugin did not cause. */
  spare(bytes: number): void {
    if (this.#idle !== null) this.#idle.stdout -= bytes;
  }

  /** Whether these bytes may come. While nobody calls, a little of each stream may; during a call each piece is judged by itself. */
  takesBytes(stream: Stream, bytes: number): boolean {
    if (this.#idle === null) return true;
    this.#idle[stream] += bytes;
    return this.#idle[stream] <= MAX_IDLE_BYTES;
  }

  takesRecord(bytes: number): boolean {
    this.#records += bytes;
    return this.#records <= this.maxRecordBytes;
  }

  /** Whether a log line is one of the first, which are kept. */
  takesLog(bytes: number): boolean {
    const { lines, bytes: all } = this.#logs;
    this.#logs = { lines: lines + 1, bytes: all + bytes };
    return lines < LOG_HEAD.lines && all + bytes <= LOG_HEAD.bytes;
  }

  get isLogFull(): boolean {
    const { lines, bytes } = this.#logs;
    return lines >= LOG_HEAD.lines || bytes > LOG_HEAD.bytes;
  }

  /** How long the reading pauses before it goes on, in milliseconds. */
  pauseMs(bytes: number): number {
    return this.#logs.bytes > FREE_LOG_BYTES ? bytes / SLOW_BYTES_PER_MS : 0;
  }
}

/**
 * Reads everything a container writes until it ends or a fault ends the reading. Pulling is the back-pressure: what
 * nobody asked for stays in the engine. Log lines are read without end and stored in part; records have the budget.
 */
export async function* listen(
  output: AsyncIterable<OutputSlice>,
  budget: OutputBudget,
): AsyncGenerator<OutputItem> {
  const limits = { maxRecordBytes: budget.maxRecordBytes, maxLineBytes: MAX_LINE_BYTES };
  const readers = {
    stdout: new RecordReader(limits),
    stderr: new RecordReader({ ...limits, records: false }),
  };
  const yielder = new EventLoopYielder();
  let pauseMs = 0;
  for await (const { stream, bytes } of output) {
    if (yielder.isOver()) await yielder.next();
    if (!budget.takesBytes(stream, bytes.length)) {
      yield overLimit(`more than ${MAX_IDLE_BYTES} bytes came over ${stream} while nobody called`);
      return;
    }
    const reader = readers[stream];
    for (const { isFlood, bytes: part } of stretchesOf(stream, bytes, reader, budget)) {
      if (isFlood) {
        // A flood is not split into lines: it costs a look at its bytes, and no object for each line.
        for (const { bytes: begun } of reader.end()) yield { kind: 'surplus', source: stream, bytes: begun };
        budget.takesLog(part.length);
        yield { kind: 'surplus', source: stream, bytes: Buffer.from(part) };
        continue;
      }
      for (const piece of reader.push(part)) {
        const item = await judge(stream, piece, budget, yielder);
        yield item;
        // A container that broke the protocol is not read any further.
        if (item.kind === 'fault') return;
        if (yielder.isOver()) await yielder.next();
      }
    }
    pauseMs += budget.pauseMs(bytes.length);
    // No timer is shorter.
    if (pauseMs < 1) continue;
    await delay(pauseMs);
    pauseMs = 0;
  }
  for (const stream of ['stdout', 'stderr'] as const)
    for (const piece of readers[stream].end()) yield toLine(stream, piece, budget);
}

function stretchesOf(
  stream: Stream,
  bytes: Buffer,
  reader: RecordReader,
  budget: OutputBudget,
): Iterable<Stretch> {
  if (!budget.isLogFull) return [{ isFlood: false, bytes }];
  if (stream === 'stderr') return splitFlood(bytes, () => reader.heldByte === RECORD_START);
  return [{ isFlood: !reader.isInRecord && !bytes.includes(RECORD_START), bytes }];
}

async function judge(
  stream: Stream,
  piece: Piece,
  budget: OutputBudget,
  yielder: EventLoopYielder,
): Promise<OutputItem> {
  if (piece.kind === 'overflow') return overLimit(tooLarge(budget));
  if (piece.kind === 'line') return toLine(stream, piece, budget);
  const { bytes } = piece;
  const isLog = isLogRecord(bytes);
  if (isLog && !budget.takesLog(bytes.length)) return { kind: 'surplus', source: 'console', bytes };
  if (!isLog && !budget.takesRecord(bytes.length)) return overLimit(tooLarge(budget));
  const item = await readRecord(bytes, yielder);
  // What begins like a log line and asks for something is none.
  if (isLog && item.kind === 'request' && !budget.takesRecord(bytes.length))
    return overLimit(tooLarge(budget));
  return item;
}

function toLine(source: Stream, { bytes, cutBytes }: StrayLine, budget: OutputBudget): OutputItem {
  const id = source === 'stderr' ? endedBy(bytes) : null;
  if (id !== null) return { kind: 'outputEnd', id };
  if (!budget.takesLog(bytes.length))
    return { kind: 'surplus', source, bytes: Buffer.concat([bytes, LINE_FEED]) };
  return { kind: 'line', source, text: bytes.toString('utf8'), cutBytes };
}

function isLogRecord(bytes: Buffer): boolean {
  return bytes.subarray(0, LOG_RECORD.length).equals(LOG_RECORD);
}

function endedBy(bytes: Buffer): number | null {
  if (bytes[0] !== RECORD_START) return null;
  const id = OUTPUT_END.exec(bytes.toString('latin1'))?.[1];
  return id === undefined ? null : Number(id);
}

async function readRecord(bytes: Buffer, yielder: EventLoopYielder): Promise<OutputItem> {
  if (!isUtf8(bytes)) return fault('a record is not UTF-8');
  const reading = await readJson(bytes, yielder);
  if (!reading.ok) {
    const [first] = reading.faults;
    return fault(
      `a record is refused: ${first?.path ? `\`${first.path.slice(0, MAX_QUOTED_CHARS)}\`: ` : ''}${first?.message.slice(0, MAX_QUOTED_CHARS)}`,
    );
  }
  const message = parseRunnerMessage(reading.value);
  switch (message.kind) {
    case 'invalid':
      return fault(`a record is ${message.reason}`);
    case 'request':
    case 'badRequest':
    case 'cancelRequest':
      return { kind: 'request', request: message, bytes: bytes.length };
    default:
      return { kind: 'message', message };
  }
}

async function readJson(bytes: Buffer, yielder: EventLoopYielder): Promise<JsonReading> {
  const reader = new JsonReader(bytes, RECORD_LIMITS);
  for (;;) {
    const reading = reader.read(STEPS_PER_LOOK);
    if (reading !== null) return reading;
    if (yielder.isOver()) await yielder.next();
  }
}

function fault(reason: string): OutputItem {
  return { kind: 'fault', outcome: 'PROTOCOL_ERROR', reason };
}

function overLimit(reason: string): OutputItem {
  return { kind: 'fault', outcome: 'OUTPUT_LIMIT', reason };
}

function tooLarge({ maxResultBytes }: OutputBudget): string {
  return `more than ${maxResultBytes} bytes came as records, the result, reports of progress and requests together: return less, or raise \`output_kb\``;
}
