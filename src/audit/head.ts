import { accessSync, chmodSync, constants, copyFileSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { HashSchema } from './record.ts';

export const HEAD_NAME = 'head.db';

/** How long to wait for another process that is writing. Who was killed holds nothing. */
const LOCK_TIMEOUT_MS = 1_000;

const HeadSchema = z.strictObject({
  /** Of the last record, and its hash; 0 and zeros before the first. */
  seq: z.int().min(0),
  hash: HashSchema,
  /** Number of the file that is written to, and how long it was left. */
  file: z.int().min(1),
  bytes: z.int().min(0),
});
export type Head = Readonly<z.infer<typeof HeadSchema>>;

const FileStartSchema = z.strictObject({
  number: z.int().min(1),
  /** Of the record that it begins with. */
  firstSeq: z.int().min(1),
  firstPrev: HashSchema,
});
/** Where a file begins in the chain. Of the oldest one that is kept it is where the chain begins. */
export type FileStart = Readonly<z.infer<typeof FileStartSchema>>;

/** Of the tables; databases of the first program have 0, which means the same. */
const HEAD_FORMAT = 1;
const TABLES = `
  PRAGMA user_version = ${HEAD_FORMAT};
  CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL,
    file INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY, firstSeq INTEGER NOT NULL, firstPrev TEXT NOT NULL
  ) STRICT;
`;
const SELECT_HEAD = 'SELECT seq, hash, file, bytes FROM head';
const SAVE_HEAD = 'INSERT OR REPLACE INTO head (id, seq, hash, file, bytes) VALUES (1, ?, ?, ?, ?)';
const SELECT_FILES = 'SELECT number, firstSeq, firstPrev FROM files ORDER BY number';

/** Where the chain ends, kept apart from the chain itself; its write lock is what one process at a time holds to write. */
export class HeadDatabase {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #inode: number;
  #select: StatementSync | null = null;
  #save: StatementSync | null = null;

  constructor(folder: string) {
    this.#path = join(folder, HEAD_NAME);
    assertPlainFile(this.#path);
    this.#database = new DatabaseSync(this.#path, { timeout: LOCK_TIMEOUT_MS });
    try {
      chmodSync(this.#path, 0o600); // Before SQLite makes the other two, which take its mode.
      this.#inode = lstatSync(this.#path).ino;
      // Commits do not wait for the disk; what a power failure takes of them is found again in the files.
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      assertKnown(this.#database);
      this.transaction(() => this.#database.exec(TABLES));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Runs while nobody else writes; what it saves is kept when it returns, and nothing of that when it throws. */
  transaction<Result>(work: () => Result): Result {
    // Whoever removes the database gives others a lock of their own beside ours.
    if (lstatSync(this.#path, { throwIfNoEntry: false })?.ino !== this.#inode)
      throw new Error(`${HEAD_NAME} is not the file any more that it was`);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  read(): Head | null {
    this.#select ??= this.#database.prepare(SELECT_HEAD);
    return toHead(this.#select.get());
  }

  save({ seq, hash, file, bytes }: Head): void {
    this.#save ??= this.#database.prepare(SAVE_HEAD);
    this.#save.run(seq, hash, file, bytes);
  }

  addFile({ number, firstSeq, firstPrev }: FileStart): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO files (number, firstSeq, firstPrev) VALUES (?, ?, ?)')
      .run(number, firstSeq, firstPrev);
  }

  forgetFilesBefore(number: number): void {
    this.#database.prepare('DELETE FROM files WHERE number < ?').run(number);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

export interface HeadState {
  readonly head: Head;
  readonly files: readonly FileStart[];
}

/** The head as it is now, for whoever only looks. @throws when there is none, or it cannot be read */
export function readHead(folder: string): HeadState {
  assertPlainFile(join(folder, HEAD_NAME));
  return mayWrite(folder) ? readState(folder) : readCopy(folder);
}

function readState(folder: string): HeadState {
  const database = new DatabaseSync(join(folder, HEAD_NAME), { readOnly: true, timeout: LOCK_TIMEOUT_MS });
  try {
    assertKnown(database);
    database.exec('BEGIN'); // Both reads see one state.
    const head = toHead(database.prepare(SELECT_HEAD).get());
    if (head === null) throw new Error('it is empty');
    const files = database.prepare(SELECT_FILES).all();
    return { head, files: z.array(FileStartSchema).parse(files.map((row) => ({ ...row }))) };
  } finally {
    database.close();
  }
}

/** SQLite writes beside a database that it reads, and cannot do so on a read-only file system. */
function readCopy(folder: string): HeadState {
  const copy = mkdtempSync(join(tmpdir(), 'lurkbox-head-'));
  try {
    for (const name of [HEAD_NAME, `${HEAD_NAME}-wal`])
      if (lstatSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
        copyFileSync(join(folder, name), join(copy, name));
    return readState(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function assertKnown(database: DatabaseSync): void {
  const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (format > HEAD_FORMAT)
    throw new Error(
      `${HEAD_NAME} has format ${format} of a newer lurkbox, this one knows ${HEAD_FORMAT}; use that version, or move the folder away to begin a new log`,
    );
}

function toHead(row: object | undefined): Head | null {
  return row === undefined ? null : HeadSchema.parse({ ...row });
}

/** SQLite would follow a link. It must not be opened to look: closing it would let go of the locks on it. */
function assertPlainFile(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) throw new Error(`${HEAD_NAME} is no plain file`);
}
