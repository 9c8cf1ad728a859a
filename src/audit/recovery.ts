import { constants, ftruncateSync, lstatSync, readSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { writeAll } from '../storage/files.ts';
import { type AuditFile, fileExists, fileName, type Line, listFiles, openFile, readLines } from './files.ts';
import type { FileStart, Head, HeadDatabase } from './head.ts';
import { type ReadRecord, readLine } from './line.ts';
import { NO_HASH, type RecoveredNote, recovered } from './record.ts';

const { O_RDWR, O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
const COPY_BYTES = 64 * 1024;

/** Where the chain goes on, and what had to be done for that. */
export interface Continuation {
  readonly head: Head;
  readonly notes: readonly RecoveredNote[];
}

/**
 * Brings files and head together, inside a transaction: a process may have ended between writing a file and saving the
 * head, and anybody may have done anything to the files. Answers at once when they agree.
 */
export function recover(folder: string, heads: HeadDatabase, now: () => Date): Continuation {
  const notes: RecoveredNote[] = [];
  const recovery = { folder, heads, now, notes };
  let head = heads.read() ?? rebuild(recovery);
  for (;;) {
    head = mendFile(recovery, head);
    const next = takeNextFile(recovery, head);
    if (next === null) return { head, notes };
    head = next;
  }
}

interface Recovery {
  readonly folder: string;
  readonly heads: HeadDatabase;
  readonly now: () => Date;
  readonly notes: RecoveredNote[];
}

/** Makes the file end where the head says, or where the records beyond it end that continue the chain. */
function mendFile(recovery: Recovery, head: Head): Head {
  const name = fileName(head.file);
  using file = openFile(recovery.folder, name, O_RDWR | O_APPEND | O_CREAT);
  if (file.size === head.bytes) return head;
  if (file.size < head.bytes) {
    recovery.notes.push(recovered('cut', { file: name, bytes: head.bytes - file.size }));
    const bytes = endOfLastLine(file);
    setRestAside(recovery, name, file, bytes);
    return { ...head, bytes };
  }
  const end = adopt(file, head);
  if (end.seq > head.seq)
    recovery.notes.push(recovered('adopted', { file: name, records: end.seq - head.seq }));
  setRestAside(recovery, name, file, end.bytes);
  return end;
}

function adopt(file: AuditFile, head: Head): Head {
  let end = head;
  for (const line of readLines(file.descriptor, head.bytes)) {
    const reading = readWhole(line);
    if (reading === null || reading.link.seq !== end.seq + 1 || reading.link.prev !== end.hash) break;
    end = { ...end, seq: reading.link.seq, hash: reading.hash, bytes: line.end };
  }
  return end;
}

/** The head in the file after, when that one continues the chain; else it is set aside, for its number is needed. */
function takeNextFile({ folder, heads, now, notes }: Recovery, head: Head): Head | null {
  const number = head.file + 1;
  if (!fileExists(folder, number)) return null;
  const next = { ...head, file: number, bytes: 0 };
  const size = sizeOfContinuation(folder, next);
  if (size === 'continues') {
    heads.addFile({ number, firstSeq: head.seq + 1, firstPrev: head.hash });
    return next;
  }
  const name = fileName(number);
  if (size === 0) {
    unlinkSync(join(folder, name));
    return null;
  }
  const fragment = fragmentName(folder, name, now());
  renameSync(join(folder, name), join(folder, fragment));
  notes.push(recovered('set_aside', { file: name, bytes: size, fragment }));
  return null;
}

function sizeOfContinuation(folder: string, next: Head): 'continues' | number {
  using file = openFile(folder, fileName(next.file), O_RDONLY);
  return adopt(file, next).seq > next.seq ? 'continues' : file.size;
}

/** Moves everything from a place on to a file of its own, for a person to look at. */
function setRestAside({ folder, now, notes }: Recovery, name: string, file: AuditFile, from: number): void {
  const bytes = file.size - from;
  if (bytes === 0) return;
  const fragment = fragmentName(folder, name, now());
  try {
    using copy = openFile(folder, fragment, O_WRONLY | O_CREAT | O_EXCL);
    copyBytes(file.descriptor, copy.descriptor, from);
  } catch (error) {
    rmSync(join(folder, fragment), { force: true });
    throw error;
  }
  ftruncateSync(file.descriptor, from);
  notes.push(recovered('set_aside', { file: name, bytes, fragment }));
}

function copyBytes(source: number, target: number, from: number): void {
  const chunk = Buffer.allocUnsafe(COPY_BYTES);
  for (let place = from; ; ) {
    const got = readSync(source, chunk, 0, COPY_BYTES, place);
    if (got === 0) return;
    writeAll(target, chunk.subarray(0, got));
    place += got;
  }
}

/** `audit-000001.jsonl.fragment-20300102T030405678Z`, with a number behind it where that is taken. */
function fragmentName(folder: string, name: string, now: Date): string {
  const plain = `${name}.fragment-${now.toISOString().replace(/[-:.]/g, '')}`;
  const isTaken = (path: string) => lstatSync(join(folder, path), { throwIfNoEntry: false }) !== undefined;
  let fragment = plain;
  for (let count = 2; isTaken(fragment); count++) fragment = `${plain}-${count}`;
  return fragment;
}

function endOfLastLine(file: AuditFile): number {
  let end = 0;
  for (const line of readLines(file.descriptor)) if (line.ended) ({ end } = line);
  return end;
}

/** A head made from the files alone. What was cut off their end before is not missed by it, and so it says that it is one. */
function rebuild({ folder, heads, notes }: Recovery): Head {
  const numbers = listFiles(folder);
  const starts = numbers.flatMap((number) => startOf(folder, number) ?? []);
  for (const start of starts) heads.addFile(start);
  const last = starts.at(-1)?.number;
  const head = last === undefined ? begin(heads, numbers.at(-1) ?? 1) : lastOf(folder, last);
  notes.push(recovered('head_missing', { file: fileName(head.file) }));
  return head;
}

/** A chain that has no record yet. */
export function begin(heads: HeadDatabase, file: number): Head {
  heads.addFile({ number: file, firstSeq: 1, firstPrev: NO_HASH });
  return { seq: 0, hash: NO_HASH, file, bytes: 0 };
}

function startOf(folder: string, number: number): FileStart | null {
  using file = openFile(folder, fileName(number), O_RDONLY);
  for (const line of readLines(file.descriptor)) {
    const reading = readWhole(line);
    if (reading !== null) return { number, firstSeq: reading.link.seq, firstPrev: reading.link.prev };
  }
  return null;
}

function lastOf(folder: string, number: number): Head {
  using file = openFile(folder, fileName(number), O_RDONLY);
  let head: Head = { seq: 0, hash: NO_HASH, file: number, bytes: 0 };
  for (const line of readLines(file.descriptor)) {
    const reading = readWhole(line);
    if (reading !== null) head = { ...head, seq: reading.link.seq, hash: reading.hash, bytes: line.end };
  }
  return head;
}

/** The record of a line, if it is whole. */
function readWhole({ bytes, ended }: Line): ReadRecord | null {
  if (bytes === null || !ended) return null;
  const reading = readLine(bytes);
  return reading.ok && reading.intact ? reading : null;
}
