import { closeSync, fstatSync, readdirSync, readSync } from 'node:fs';
import type { Folder } from '../storage/folder.ts';
import { MAX_LINE_BYTES } from './line.ts';

const FILE_NAME = /^audit-(\d{6,9})\.jsonl(\.fragment-.*)?$/;
const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

export function fileName(number: number): string {
  return `audit-${String(number).padStart(6, '0')}.jsonl`;
}

/** Numbers of the files of a log, ascending. */
export function listFiles(folder: Folder): number[] {
  return readdirSync(folder.here)
    .flatMap((name) => {
      const [, number, fragment] = FILE_NAME.exec(name) ?? [];
      return number === undefined || fragment !== undefined ? [] : [Number(number)];
    })
    .sort((one, other) => one - other);
}

/** Removes the files before a number, and what was set aside of them. */
export function removeFilesBefore(folder: Folder, number: number): void {
  for (const name of readdirSync(folder.here)) {
    const [, of] = FILE_NAME.exec(name) ?? [];
    if (of !== undefined && Number(of) < number) folder.remove(name);
  }
}

/** An open file of a log; whoever opens it closes it. */
export interface AuditFile extends Disposable {
  readonly descriptor: number;
  readonly size: number;
}

/** @throws PathError where the name is that of a link or of anything but a plain file */
export function openFile(folder: Folder, name: string, flags: number): AuditFile {
  const descriptor = folder.file(name, { flags });
  return { descriptor, size: fstatSync(descriptor).size, [Symbol.dispose]: () => closeSync(descriptor) };
}

export interface Line {
  /** Without the line feed; `null` when it is longer than any record. */
  readonly bytes: Buffer | null;
  /** Place in the file after its line feed. */
  readonly end: number;
  /** Whether it has a line feed; only the last one may lack it. */
  readonly ended: boolean;
}

/** The lines of a file from a place on, of which never more than one is in memory. */
export function* readLines(descriptor: number, from = 0): Generator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let bytes = Buffer.alloc(0) as Buffer | null;
  const add = (part: Buffer) => {
    bytes =
      bytes === null || bytes.length + part.length > MAX_LINE_BYTES ? null : Buffer.concat([bytes, part]);
  };
  for (let position = from; ; ) {
    const got = readSync(descriptor, chunk, 0, CHUNK_BYTES, position);
    if (got === 0) {
      if (bytes?.length !== 0) yield { bytes, end: position, ended: false };
      return;
    }
    let taken = 0;
    for (
      let feed = chunk.indexOf(LINE_FEED);
      feed !== -1 && feed < got;
      feed = chunk.indexOf(LINE_FEED, taken)
    ) {
      add(chunk.subarray(taken, feed));
      taken = feed + 1;
      yield { bytes, end: position + taken, ended: true };
      bytes = Buffer.alloc(0);
    }
    add(chunk.subarray(taken, got));
    position += got;
  }
}
