import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Demuxer } from '../engine/demux.ts';
import { parseJson } from '../json.ts';
import { frameRecord, type Piece, RecordReader } from '../protocol/framing.ts';
import { EXECUTE_ID, type ExecuteParams } from '../protocol/messages.ts';
import { parseRunnerMessage, type RunnerMessage } from '../protocol/runner-message.ts';

/** One thing that came out of a container, judged. */
export type Heard =
  | { readonly kind: 'message'; readonly message: RunnerMessage }
  | { readonly kind: 'line'; readonly source: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'fault'; readonly outcome: 'OUTPUT_LIMIT' | 'PROTOCOL_ERROR'; readonly reason: string };

const MAX_LINE_BYTES = 8 * 1024;
/** Lines of stderr are kept up to about as much; beyond it only its end is looked at. */
const MAX_STDERR_BYTES = 256 * 1024;
const PIECES_PER_TURN = 500;
const BYTES_PER_TURN = 64 * 1024;
/** Of what a container wrote, in a message of ours. */
const MAX_QUOTED_CHARS = 300;
/** Results are trees of data; anything deeper is an attack on whoever walks it. */
const MAX_RESULT_DEPTH = 64;
/** Reading more of them takes longer than the orchestrator may stand still; long texts cost next to nothing. */
const MAX_RESULT_VALUES = 100_000;

/**
 * Reads everything a container writes until it ends or a fault ends the reading. Pulling is the back-pressure: a chunk
 * that nobody asked for stays in the engine. stderr is read for ever and kept in part; on stdout `outputBytes` is all.
 */
export async function* listen(socket: Duplex, outputBytes: number): AsyncGenerator<Heard> {
  const demuxer = new Demuxer();
  const limits = { maxRecordBytes: outputBytes, maxLineBytes: MAX_LINE_BYTES };
  const stdout = new RecordReader(limits);
  const stderr = new RecordReader({ ...limits, records: false });
  const tail = new Tail();
  const turns = new Turns();
  let stdoutBytes = 0;
  let stderrBytes = 0;
  for await (const chunk of socket) {
    for (const { stream, bytes } of demuxer.push(chunk as Buffer)) {
      await turns.after(bytes.length);
      if (stream === 'stderr') {
        stderrBytes += bytes.length;
        if (stderrBytes > MAX_STDERR_BYTES) tail.push(bytes);
        else yield* turns.between(linesOf('stderr', stderr.push(bytes)));
        continue;
      }
      stdoutBytes += bytes.length;
      if (stdoutBytes > outputBytes) {
        yield overLimit(outputBytes);
        return;
      }
      yield* turns.between(judge(stdout.push(bytes)));
    }
  }
  yield* judge(stdout.end());
  yield* linesOf('stderr', stderr.end());
  yield* tail.lines();
}

/** The end of a stream that is no longer split into lines: where V8 says why it gave up. */
class Tail {
  #bytes = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]).subarray(-MAX_LINE_BYTES);
  }

  *lines(): Generator<Heard> {
    if (this.#bytes.length > 0) yield { kind: 'line', source: 'stderr', text: this.#bytes.toString('utf8') };
  }
}

/** Gives timers and other containers their turn: a chunk can hold thousands of lines, and none of them waits for I/O. */
class Turns {
  #pieces = 0;
  #bytes = 0;

  async after(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < BYTES_PER_TURN) return;
    this.#bytes = 0;
    await nextTurn();
  }

  async *between(pieces: Iterable<Heard>): AsyncGenerator<Heard> {
    for (const piece of pieces) {
      yield piece;
      if (++this.#pieces % PIECES_PER_TURN === 0) await nextTurn();
    }
  }
}

function* linesOf(source: 'stdout' | 'stderr', pieces: Iterable<Piece>): Generator<Heard> {
  for (const { kind, ...piece } of pieces) {
    if (kind !== 'overflow' && 'bytes' in piece)
      yield { kind: 'line', source, text: piece.bytes.toString('utf8') };
  }
}

function* judge(pieces: Iterable<Piece>): Generator<Heard> {
  for (const piece of pieces) {
    if (piece.kind === 'record') yield readRecord(piece.bytes);
    else if (piece.kind === 'overflow') yield overLimit(piece.limitBytes);
    else yield { kind: 'line', source: 'stdout', text: piece.bytes.toString('utf8') };
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readRecord(bytes: Buffer): Heard {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return fault('a record is not UTF-8');
  }
  const reading = parseJson(text, { maxDepth: MAX_RESULT_DEPTH, maxValues: MAX_RESULT_VALUES });
  if (!reading.ok) {
    const [first] = reading.faults;
    return fault(
      `a record is refused: ${first?.path ? `\`${first.path.slice(0, MAX_QUOTED_CHARS)}\`: ` : ''}${first?.message.slice(0, MAX_QUOTED_CHARS)}`,
    );
  }
  const message = parseRunnerMessage(reading.value);
  return message.kind === 'invalid' ? fault(`a record is ${message.reason}`) : { kind: 'message', message };
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

/** The one request of a conversation, as bytes. */
export function toExecuteRecord(params: ExecuteParams): string {
  return frameRecord(JSON.stringify({ jsonrpc: '2.0', id: EXECUTE_ID, method: 'execute', params }));
}

export const CANCEL_RECORD = frameRecord('{"jsonrpc":"2.0","method":"cancel"}');
