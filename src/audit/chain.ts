import { constants, ftruncateSync, mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { writeAll } from '../storage/files.ts';
import { Folder } from '../storage/folder.ts';
import { PathError } from '../storage/path-error.ts';
import { type AuditFile, fileName, listFiles, openFile, removeFilesBefore } from './files.ts';
import { type Head, HeadDatabase } from './head.ts';
import { toLine, type WrittenLine } from './line.ts';
import { AUDIT_VERSION, type AuditBody } from './record.ts';
import { recover } from './recovery.ts';

/** What is made ready to be written at once; the last line may go over it. */
const MAX_CHUNK_CHARS = 1024 * 1024;

export interface ChainConfig {
  readonly folder: string;
  readonly maxFileBytes: number;
  readonly keepFiles: number;
  readonly now: () => Date;
}

type OpenChain = Omit<ChainConfig, 'folder'> & { readonly folder: Folder };

/** Something to be recorded, with the time at which it was. */
export interface Dated {
  readonly at: string;
  readonly body: AuditBody;
}

/** The files of an audit log and their head: one chain, whoever else writes to it. */
export class AuditChain {
  readonly #config: OpenChain;
  readonly #heads: HeadDatabase;

  /** @throws whatever keeps the folder from being written to; a link in its place is not followed */
  constructor(config: ChainConfig) {
    this.#config = { ...config, folder: makeFolder(config.folder) };
    try {
      this.#heads = new HeadDatabase(this.#config.folder);
      this.#heads.transaction(() => this.#beginIfNew());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Before there is a file: files without a head are what somebody left who took it away. */
  #beginIfNew(): void {
    if (this.#heads.read() === null && listFiles(this.#config.folder).length === 0)
      this.#heads.save(this.#heads.begin(1));
  }

  /**
   * Records what is in the queue, in order, and takes from it what is in the file: that is in the chain, even when this
   * throws afterwards.
   * @throws whatever kept the rest from being written
   */
  write(queue: Dated[]): void {
    const { folder, now } = this.#config;
    if (!folder.isInPlace) throw new PathError('CHANGED', folder.path);
    const outcome = this.#heads.transaction(() => {
      const { head, notes } = recover(this.#config, this.#heads);
      using tail = new Tail(this.#config, this.#heads, head);
      // When these cannot be written, nothing is saved, and the next one finds what there is to find.
      tail.append(notes.map((body) => ({ at: now().toISOString(), body })));
      const failure = attempt(() => tail.append(queue));
      this.#heads.save(tail.head);
      return { failure, firstFile: tail.firstFile };
    });
    // After the commit: a head that names a file which is gone could not be told from a theft.
    if (outcome.firstFile !== null) removeFilesBefore(folder, outcome.firstFile);
    if (outcome.failure !== null) throw outcome.failure.error;
  }

  close(): void {
    this.#heads?.close();
    this.#config.folder[Symbol.dispose]();
  }
}

function makeFolder(path: string): Folder {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  using parent = Folder.open(dirname(path));
  return parent.makeFolder(basename(path));
}

function attempt(work: () => void): { readonly error: unknown } | null {
  try {
    work();
    return null;
  } catch (error) {
    return { error };
  }
}

/** The end of the chain, which grows. */
class Tail implements Disposable {
  head: Head;
  /** The oldest file that is kept, where that has changed. */
  firstFile: number | null = null;
  readonly #config: OpenChain;
  readonly #heads: HeadDatabase;
  #file: AuditFile;

  constructor(config: OpenChain, heads: HeadDatabase, head: Head) {
    this.#config = config;
    this.#heads = heads;
    this.head = head;
    this.#file = openTail(config, head.file);
  }

  append(queue: Dated[]): void {
    while (queue.length > 0) {
      if (this.#isFull(this.head)) this.#rotate();
      let { head } = this;
      let text = '';
      let count = 0;
      while (count < queue.length && !this.#isFull(head) && text.length < MAX_CHUNK_CHARS) {
        const line = lineAfter(head, queue[count++] as Dated);
        head = grown(head, line);
        text += line.text;
      }
      this.#write(text, this.head.bytes);
      this.head = head;
      queue.splice(0, count);
    }
  }

  #isFull({ bytes }: Head): boolean {
    return bytes >= this.#config.maxFileBytes;
  }

  /** Goes on in the next file, whose first record says so. */
  #rotate(): void {
    const start = { ...this.head, file: this.head.file + 1, bytes: 0 };
    const next = openTail(this.#config, start.file);
    this.#file[Symbol.dispose]();
    this.#file = next;
    const body = { kind: 'rotated', from: fileName(this.head.file) } as const;
    const line = lineAfter(start, { at: this.#config.now().toISOString(), body });
    this.#write(line.text, 0);
    this.#heads.addFile(start);
    this.head = grown(start, line);
    this.firstFile = start.file - this.#config.keepFiles + 1;
    this.#heads.forgetFilesBefore(this.firstFile);
  }

  /** All of it, or nothing. */
  #write(text: string, bytesBefore: number): void {
    try {
      writeAll(this.#file.descriptor, Buffer.from(text));
    } catch (error) {
      ftruncateSync(this.#file.descriptor, bytesBefore);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

function openTail({ folder }: OpenChain, number: number): AuditFile {
  const { O_RDWR, O_APPEND, O_CREAT } = constants;
  return openFile(folder, fileName(number), O_RDWR | O_APPEND | O_CREAT);
}

function lineAfter({ seq, hash }: Head, { at, body }: Dated): WrittenLine {
  return toLine({ v: AUDIT_VERSION, seq: seq + 1, at, prev: hash }, body);
}

function grown(head: Head, { text, hash }: WrittenLine): Head {
  return { ...head, seq: head.seq + 1, hash, bytes: head.bytes + Buffer.byteLength(text) };
}
