import { isUtf8 } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Demuxer } from '../engine/demux.ts';
import { JsonReader, type JsonReading } from '../json.ts';
import { type Piece, RecordReader } from '../protocol/framing.ts';
import { parseRunnerMessage, type RunnerMessage } from '../protocol/runner-message.ts';
import { Turns } from './turns.ts';

/** One thing that came out of a container, judged. */
export type Heard =
  | { readonly kind: 'message'; readonly message: RunnerMessage }
  | { readonly kind: 'line'; readonly source: 'stdout' | 'stderr'; readonly text: string }
  /** Once: from here on stderr is not read as lines any more. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'fault'; readonly outcome: 'OUTPUT_LIMIT' | 'PROTOCOL_ERROR'; readonly reason: string };

const MAX_LINE_BYTES = 8 * 1024;
/** Lines of stderr are kept up to about as much; beyond it only its end is looked at. */
const MAX_STDERR_BYTES = 256 * 1024;
/** What a container may write of either while nobody calls it: an unfinished record, or the lines, have to be held. */
const MAX_IDLE_BYTES = 64 * 1024;
/** After so many the clock is looked at. */
const STEPS_PER_LOOK = 64;
/** Of what a container wrote, in a message of ours. */
const MAX_QUOTED_CHARS = 300;
/** Results are trees of data; anything deeper is an attack on whoever walks it. */
const MAX_RESULT_DEPTH = 64;
/** Each takes some hundred bytes of memory, whatever it took on the wire; texts cost no more than they are long. */
const MAX_RESULT_VALUES = 100_000;

type Stream = 'stdout' | 'stderr';

/** What one execution may still write; while nobody calls, a little of that. */
export class OutputRoom {
  readonly outputBytes: number;
  readonly #all: Readonly<Record<Stream, number>>;
  #used: Record<Stream, number> = { stdout: 0, stderr: 0 };
  #most: Readonly<Record<Stream, number>>;
  #isCut = false;

  constructor(outputBytes: number) {
    this.outputBytes = outputBytes;
    this.#all = { stdout: outputBytes, stderr: MAX_STDERR_BYTES };
    this.#most = this.#all;
  }

  /** Nobody waits for what comes from now on. */
  rest(): void {
    const most = (stream: Stream): number => Math.min(this.#all[stream], this.#used[stream] + MAX_IDLE_BYTES);
    this.#most = { stdout: most('stdout'), stderr: most('stderr') };
    this.#isCut = false;
  }

  /** For the first execution: what came before it is of its room. */
  open(): void {
    this.#most = this.#all;
  }

  /** For the next execution in the same container. */
  empty(): void {
    this.#used = { stdout: 0, stderr: 0 };
    this.#isCut = false;
    this.open();
  }

  /** How much of a stream there is room for, from the first byte on. */
  limitOf(stream: Stream): number {
    return this.#most[stream];
  }

  /** Whether this is the first time that stderr has more than there is room for. */
  overflows(): boolean {
    const isFirst = !this.#isCut;
    this.#isCut = true;
    return isFirst;
  }

  /** An answer of so many bytes that the host asked for, and the plugin did not cause, is not counted. */
  spare(bytes: number): void {
    this.#used.stdout -= bytes;
  }

  /** What of these bytes there is room for. */
  fill(stream: Stream, bytes: Buffer): Buffer {
    const kept = bytes.subarray(0, this.#most[stream] - this.#used[stream]);
    this.#used[stream] += kept.length;
    return kept;
  }
}

/**
 * Reads everything a container writes until it ends or a fault ends the reading. Pulling is the back-pressure: a chunk
 * that nobody asked for stays in the engine. stderr is read for ever and kept in part; on stdout there is only the room.
 */
export async function* listen(socket: Duplex, room: OutputRoom): AsyncGenerator<Heard> {
  const demuxer = new Demuxer();
  const limits = { maxRecordBytes: room.outputBytes, maxLineBytes: MAX_LINE_BYTES };
  const stdout = new RecordReader(limits);
  const stderr = new RecordReader({ ...limits, records: false });
  const tail = new Tail();
  const turns = new Turns();
  for await (const chunk of socket) {
    for (const { stream, bytes } of demuxer.push(chunk as Buffer)) {
      if (turns.isOver()) await turns.next();
      // What came before a limit counts, wherever the engine happened to end a chunk.
      const kept = room.fill(stream, bytes);
      for (const piece of (stream === 'stdout' ? stdout : stderr).push(kept)) {
        const heard = piece.kind === 'record' ? await readRecord(piece.bytes, turns) : toHeard(stream, piece);
        yield heard;
        // Who breaks the protocol is not listened to any more.
        if (heard.kind === 'fault') return;
        if (turns.isOver()) await turns.next();
      }
      if (kept.length === bytes.length) continue;
      if (stream === 'stdout') {
        yield overLimit(room.limitOf('stdout'));
        return;
      }
      if (room.overflows()) yield { kind: 'cut', afterBytes: room.limitOf('stderr') };
      tail.push(bytes.subarray(kept.length));
    }
    // What the network gave belongs to nobody else.
    if (socket instanceof Socket) release(chunk as Buffer);
  }
  demuxer.end();
  for (const piece of stdout.end()) yield toHeard('stdout', piece);
  for (const piece of stderr.end()) yield toHeard('stderr', piece);
  yield* tail.lines();
}

// Every byte of it was copied or counted. The collector is in no hurry for memory outside of its heap: of a flood it would
// leave eighty megabytes lying about.
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** The end of a stream that is no longer split into lines: where V8 says why it gave up. */
class Tail {
  readonly #kept = Buffer.alloc(MAX_LINE_BYTES);
  #bytes = 0;

  push(bytes: Buffer): void {
    const last = bytes.subarray(-MAX_LINE_BYTES);
    this.#kept.copyWithin(0, last.length);
    last.copy(this.#kept, MAX_LINE_BYTES - last.length);
    this.#bytes = Math.min(MAX_LINE_BYTES, this.#bytes + last.length);
  }

  isEmpty(): boolean {
    return this.#bytes === 0;
  }

  *lines(): Generator<Heard> {
    if (this.isEmpty()) return;
    const bytes = this.#kept.subarray(MAX_LINE_BYTES - this.#bytes);
    yield { kind: 'line', source: 'stderr', text: bytes.toString('utf8') };
  }
}

function toHeard(source: 'stdout' | 'stderr', piece: Exclude<Piece, { kind: 'record' }>): Heard {
  if (piece.kind === 'overflow') return overLimit(piece.limitBytes);
  return { kind: 'line', source, text: piece.bytes.toString('utf8') };
}

async function readRecord(bytes: Buffer, turns: Turns): Promise<Heard> {
  if (!isUtf8(bytes)) return fault('a record is not UTF-8');
  const reading = await readJson(bytes, turns);
  if (!reading.ok) {
    const [first] = reading.faults;
    return fault(
      `a record is refused: ${first?.path ? `\`${first.path.slice(0, MAX_QUOTED_CHARS)}\`: ` : ''}${first?.message.slice(0, MAX_QUOTED_CHARS)}`,
    );
  }
  const message = parseRunnerMessage(reading.value);
  return message.kind === 'invalid' ? fault(`a record is ${message.reason}`) : { kind: 'message', message };
}

async function readJson(bytes: Buffer, turns: Turns): Promise<JsonReading> {
  const reader = new JsonReader(bytes, { maxDepth: MAX_RESULT_DEPTH, maxValues: MAX_RESULT_VALUES });
  for (;;) {
    const reading = reader.read(STEPS_PER_LOOK);
    if (reading !== null) return reading;
    if (turns.isOver()) await turns.next();
  }
}

function fault(reason: string): Heard {
  return { kind: 'fault', outcome: 'PROTOCOL_ERROR', reason };
}

function overLimit(limitBytes: number): Heard {
  return {
    kind: 'fault',
    outcome: 'OUTPUT_LIMIT',
    reason: `more than ${limitBytes} bytes came over stdout, the result and log lines together`,
  };
}
