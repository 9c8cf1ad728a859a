import { chmodSync, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { Database } from '../storage/database.ts';
import { readSchema } from '../storage/examine.ts';
import { Folder } from '../storage/folder.ts';
import { isWritable } from '../storage/state-folder.ts';
import { statRegularFile, withCopy } from '../storage/store-files.ts';
import { HashSchema, NO_HASH } from './record.ts';

export const HEAD_NAME = 'head.db';

/** How long to wait for another process that is writing. One that was killed holds nothing. */
const LOCK_TIMEOUT_MS = 1_000;

const HeadSchema = z.object({
  /** Of the last record, and its hash; 0 and zeros before the first. */
  seq: z.int().min(0),
  hash: HashSchema,
  /** Number of the file that is written to, and how long it was left. */
  file: z.int().min(1),
  bytes: z.int().min(0),
});
export type Head = Readonly<z.infer<typeof HeadSchema>>;

const FileStartSchema = z.object({
  number: z.int().min(1),
  /** Of the record that it begins with. */
  firstSeq: z.int().min(1),
  firstPrev: HashSchema,
});
/** Where a file begins in the chain. Of the oldest one that is kept it is where the chain begins. */
type FileStart = Readonly<z.infer<typeof FileStartSchema>>;

/** Of the tables; databases of the first program have 0, which means the same. */
const HEAD_FORMAT = 1;
/** As SQLite keeps them, to the last blank: what is not one of them is refused. */
const TABLES = [
  `CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL,
    file INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE files (
    number INTEGER PRIMARY KEY, firstSeq INTEGER NOT NULL, firstPrev TEXT NOT NULL
  ) STRICT`,
];

/** Where the chain ends, kept apart from the chain itself; its write lock is what one process at a time holds to write. */
export class HeadDatabase {
  readonly #path: string;
  readonly #database: Database;
  readonly #inode: number;

  constructor(folder: Folder) {
    this.#path = folder.at(HEAD_NAME);
    this.#database = open(folder, false);
    try {
      chmodSync(this.#path, 0o600); // Before SQLite makes the other two, which take its mode.
      this.#inode = lstatSync(this.#path).ino;
      // Commits do not wait for the disk; what a power failure takes of them is found again in the files.
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.transaction(() => makeTables(this.#database));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Runs while nobody else writes; what it saves is kept when it returns, and nothing of that when it throws. */
  transaction<Result>(work: () => Result): Result {
    // Whoever removes the database gives others a lock of their own beside this one.
    if (lstatSync(this.#path, { throwIfNoEntry: false })?.ino !== this.#inode)
      throw new Error(`${HEAD_NAME} is not the file any more that it was`);
    return this.#database.write(work);
  }

  read(): Head | null {
    return readRow(this.#database);
  }

  save({ seq, hash, file, bytes }: Head): void {
    const sql = 'INSERT OR REPLACE INTO head (id, seq, hash, file, bytes) VALUES (1, ?, ?, ?, ?)';
    this.#database.run(sql, seq, hash, file, bytes);
  }

  /** A chain that has no record yet. */
  begin(file: number): Head {
    const head = { seq: 0, hash: NO_HASH, file, bytes: 0 };
    this.addFile(head);
    return head;
  }

  /** The file that the head has come to, as a new one, begins with the record after it. */
  addFile({ file, seq, hash }: Head): void {
    const sql = 'INSERT OR REPLACE INTO files (number, firstSeq, firstPrev) VALUES (?, ?, ?)';
    this.#database.run(sql, file, seq + 1, hash);
  }

  forgetFilesBefore(number: number): void {
    this.#database.run('DELETE FROM files WHERE number < ?', number);
  }

  close(): void {
    this.#database.close();
  }
}

export interface HeadState {
  readonly head: Head;
  /** The oldest file that is kept. */
  readonly first: FileStart;
}

/** The head as it is now, for whoever only looks. @throws when there is none, or it cannot be read */
export function readHead(folder: Folder): HeadState {
  if (isWritable(folder)) return readState(folder);
  return withCopy(folder, HEAD_NAME, (path) => {
    using copy = Folder.open(dirname(path));
    return readState(copy);
  });
}

function readState(folder: Folder): HeadState {
  using database = open(folder, true);
  return database.snapshot(() => {
    const head = readRow(database);
    if (head === null) throw new Error('it is empty');
    return {
      head,
      first: FileStartSchema.parse(database.get('SELECT * FROM files ORDER BY number LIMIT 1')),
    };
  });
}

function open(folder: Folder, readOnly: boolean): Database {
  const path = folder.at(HEAD_NAME);
  // SQLite would follow a link.
  statRegularFile(path);
  const database = new Database(path, { readOnly, busyMs: LOCK_TIMEOUT_MS });
  try {
    const format = database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
    if (format > HEAD_FORMAT)
      throw new Error(
        `${HEAD_NAME} has format ${format} of a newer lurkbox, this one knows ${HEAD_FORMAT}; use that version, or move the folder away to begin a new log`,
      );
    if (!readSchema(database).every((statement) => TABLES.includes(statement)))
      throw new Error(
        `${HEAD_NAME} has other tables than lurkbox makes; remove it, or move the folder away to begin a new log`,
      );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function makeTables(database: Database): void {
  database.exec(`PRAGMA user_version = ${HEAD_FORMAT}`);
  const present = readSchema(database);
  for (const table of TABLES) if (!present.includes(table)) database.exec(table);
}

function readRow(database: Database): Head | null {
  const row = database.get('SELECT seq, hash, file, bytes FROM head');
  return row === undefined ? null : HeadSchema.parse(row);
}
