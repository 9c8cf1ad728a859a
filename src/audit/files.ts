import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { MAX_LINE_BYTES } from './line.ts';

const FILE_NAME = /^audit-(\d{6,9})\.jsonl(\.fragment-.*)?$/;
const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

export function fileName(number: number): string {
  return `audit-${String(number).padStart(6, '0')}.jsonl`;
}

/** Numbers of the files of a log, ascending. */
export function listFiles(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const [, number, fragment] = FILE_NAME.exec(name) ?? [];
      return number === undefined || fragment !== undefined ? [] : [Number(number)];
    })
    .sort((one, other) => one - other);
}

/** Removes the files before a number, and what was set aside of them. */
export function removeFilesBefore(folder: string, number: number): void {
  for (const name of readdirSync(folder)) {
    const [, of] = FILE_NAME.exec(name) ?? [];
    if (of !== undefined && Number(of) < number) unlinkSync(join(folder, name));
  }
}

export function fileExists(folder: string, number: number): boolean {
  return lstatSync(join(folder, fileName(number)), { throwIfNoEntry: false }) !== undefined;
}

/** An open file of a log; whoever opens it closes it. */
export interface AuditFile extends Disposable {
  readonly descriptor: number;
  readonly size: number;
}

/** @throws the system's error, also where the name is that of a link or of anything but a plain file */
export function openFile(folder: string, name: string, flags: number): AuditFile {
  // Without O_NONBLOCK, opening a pipe that somebody put there would wait for ever.
  const { O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(join(folder, name), flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
  const stat = fstatSync(descriptor);
  if (stat.isFile()) return { descriptor, size: stat.size, [Symbol.dispose]: () => closeSync(descriptor) };
  closeSync(descriptor);
  throw new Error(`${name} is no plain file`);
}

export interface Line {
  /** Without the line feed; `null` when it is longer than any record. */
  readonly bytes: Buffer | null;
  /** Place in the file of its first byte, and of the one after its line feed. */
  readonly start: number;
  readonly end: number;
  /** Whether it has a line feed; only the last one may lack it. */
  readonly ended: boolean;
}

/** The lines of a file from a place on, of which never more than one is in memory. */
export function* readLines(descriptor: number, from = 0): Generator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const line = new LineBuffer();
  let start = from;
  let position = from;
  for (;;) {
    const got = readSync(descriptor, chunk, 0, CHUNK_BYTES, position);
    if (got === 0) break;
    let taken = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1 && end < got; end = chunk.indexOf(LINE_FEED, taken)) {
      line.add(chunk.subarray(taken, end));
      taken = end + 1;
      yield { bytes: line.take(), start, end: position + taken, ended: true };
      start = position + taken;
    }
    line.add(chunk.subarray(taken, got));
    position += got;
  }
  if (start < position) yield { bytes: line.take(), start, end: position, ended: false };
}

class LineBuffer {
  #bytes: Buffer | null = Buffer.alloc(0);

  add(part: Buffer): void {
    if (this.#bytes === null) return;
    const tooLong = this.#bytes.length + part.length > MAX_LINE_BYTES;
    this.#bytes = tooLong ? null : Buffer.concat([this.#bytes, part]);
  }

  take(): Buffer | null {
    const bytes = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return bytes;
  }
}
