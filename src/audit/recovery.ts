import { constants, ftruncateSync } from 'node:fs';
import { copyBytes } from '../storage/files.ts';
import type { Folder } from '../storage/folder.ts';
import { type AuditFile, fileName, listFiles, openFile, readLines } from './files.ts';
import type { Head, HeadDatabase } from './head.ts';
import { readLine } from './line.ts';
import { type AuditRecord, type RecoveredNote, recovered } from './record.ts';

const { O_RDWR, O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;

interface Place {
  readonly folder: Folder;
  readonly maxFileBytes: number;
  readonly now: () => Date;
}

/** Where the chain goes on, and what had to be done for that. */
export interface Continuation {
  readonly head: Head;
  readonly notes: readonly RecoveredNote[];
}

/**
 * Brings files and head together, inside a transaction: a process may have ended between writing a file and saving the
 * head, and anybody may have done anything to the files. Answers at once when they agree.
 */
export function recover(place: Place, heads: HeadDatabase): Continuation {
  const notes: RecoveredNote[] = [];
  let head = takeUp(place, heads.read() ?? rebuild(place.folder, heads, notes), notes);
  while (place.folder.statsOf(fileName(head.file + 1)) !== null) {
    const start = { ...head, file: head.file + 1, bytes: 0 };
    const next = takeUp(place, start, notes);
    if (next.bytes === 0) {
      place.folder.remove(fileName(next.file));
      break;
    }
    heads.addFile(start);
    head = next;
  }
  return { head, notes };
}

/** Takes the records beyond the head that continue the chain into it, and moves aside what else is there. */
function takeUp({ folder, maxFileBytes, now }: Place, head: Head, notes: RecoveredNote[]): Head {
  const name = fileName(head.file);
  using file = openFile(folder, name, O_RDWR | O_APPEND | O_CREAT);
  if (file.size === head.bytes) return head;
  if (file.size < head.bytes) {
    notes.push(recovered('cut', { file: name, bytes: head.bytes - file.size }));
    // What is left of it stays as it is, and the chain goes on in the next file.
    return { ...head, bytes: maxFileBytes };
  }
  const end = adopt(file, head);
  if (end.seq > head.seq) notes.push(recovered('adopted', { file: name, records: end.seq - head.seq }));
  const bytes = file.size - end.bytes;
  if (bytes > 0) {
    const fragment = setRestAside(
      folder,
      file,
      end.bytes,
      `${name}.fragment-${now().toISOString().replace(/[-:.]/g, '')}`,
    );
    notes.push(recovered('set_aside', { file: name, bytes, fragment }));
  }
  return end;
}

function adopt(file: AuditFile, head: Head): Head {
  let end = head;
  for (const { record, hash, bytes } of wholeRecords(file, head.bytes)) {
    if (record?.seq !== end.seq + 1 || record.prev !== end.hash) break;
    end = { ...end, seq: record.seq, hash, bytes };
  }
  return end;
}

/** Moves everything from a place on to a file of its own, for a person to look at; answers its name. */
function setRestAside(folder: Folder, file: AuditFile, from: number, wanted: string): string {
  let fragment = wanted;
  for (let count = 2; folder.statsOf(fragment) !== null; count++) fragment = `${wanted}-${count}`;
  try {
    using copy = openFile(folder, fragment, O_WRONLY | O_CREAT | O_EXCL);
    copyBytes(file.descriptor, copy.descriptor, { from, end: file.size });
  } catch (error) {
    folder.remove(fragment);
    throw error;
  }
  ftruncateSync(file.descriptor, from);
  return fragment;
}

/** A head made from the files alone. It cannot know what was cut off their end before, and the note says so. */
function rebuild(folder: Folder, heads: HeadDatabase, notes: RecoveredNote[]): Head {
  const numbers = listFiles(folder);
  let head = null as Head | null;
  for (const number of numbers) {
    using file = openFile(folder, fileName(number), O_RDONLY);
    for (const { record, hash, bytes } of wholeRecords(file, 0)) {
      if (record === null) continue;
      const { seq, prev } = record;
      if (head?.file !== number) heads.addFile({ file: number, seq: seq - 1, hash: prev, bytes: 0 });
      head = { seq, hash, file: number, bytes };
    }
  }
  head ??= heads.begin(numbers.at(-1) ?? 1);
  notes.push(recovered('head_missing', { file: fileName(head.file) }));
  return head;
}

/** Of each line from a place on: its record, `null` where that is not whole and intact, and where it ends. */
function* wholeRecords(
  file: AuditFile,
  from: number,
): Generator<{ record: AuditRecord | null; hash: string; bytes: number }> {
  for (const { bytes, end, ended } of readLines(file.descriptor, from)) {
    const read = bytes === null || !ended ? null : readLine(bytes);
    yield read?.ok && read.intact
      ? { record: read.record, hash: read.hash, bytes: end }
      : { record: null, hash: '', bytes: end };
  }
}
