import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { Database, isBroken } from './database.ts';
import { copyFile } from './files.ts';
import { Folder } from './folder.ts';

/** What SQLite keeps beside a database. */
const COMPANIONS = ['-wal', '-shm', '-journal'];

const PRIVATE_MODE = 0o600;

// A store is never opened here but by SQLite: closing a file gives up every lock that the process has on it.

/** A database file with what SQLite keeps beside it. */
export function filesOf(path: string): string[] {
  return [path, ...COMPANIONS.map((ending) => path + ending)];
}

/** The regular file at that path, or `null` where nothing is. Follows no link. @throws LurkboxError `REGISTRY_INVALID` */
export function statRegularFile(path: string): Stats | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (stats.isFile()) return stats;
  const found = stats.isSymbolicLink()
    ? 'a symbolic link'
    : stats.isDirectory()
      ? 'a folder'
      : 'something else';
  throw new LurkboxError(
    'REGISTRY_INVALID',
    `Expected a regular file at ${quotePath(path)}, got ${found}; find out who put it there, and remove it.`,
  );
}

/** No `Date` reaches as far as the dates of some file systems. */
const LAST_DATE_MS = 8.64e15;

/** When a file was written last. */
export function writtenAt({ mtimeMs }: { readonly mtimeMs: number | bigint }): Date {
  return new Date(Math.max(-LAST_DATE_MS, Math.min(Number(mtimeMs), LAST_DATE_MS)));
}

/** Takes from others what they may do with the file. */
export function makePrivate(path: string): void {
  const stats = statRegularFile(path);
  if (stats !== null && (stats.mode & 0o777) !== PRIVATE_MODE) chmodSync(path, PRIVATE_MODE);
}

/** An empty file for the owner alone, where none is yet. */
export function createPrivateFile(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'wx', mode: PRIVATE_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    makePrivate(path);
  }
}

/** A new database file with all that is committed in another one, without a companion. It is not on the disk yet. */
export function copyDatabase(from: string, to: string): void {
  removeDatabase(to);
  createPrivateFile(to);
  using database = new Database(from);
  database.run('VACUUM INTO ?', to);
}

/** Larger ones are not copied only to be read. */
const MAX_COPIED_BYTES = 1024 * 1024 * 1024;

/** Reads a copy of a database: SQLite writes beside one that it reads, where that may not be, or cannot. */
export function withCopy<T>(folder: Folder, name: string, work: (path: string) => T): T {
  const path = mkdtempSync(join(tmpdir(), 'lurkbox-copy-'));
  try {
    using copy = Folder.open(path);
    for (const file of [name, `${name}-wal`]) {
      const stats = folder.statsOf(file);
      if (stats === null) continue;
      if (stats.size > MAX_COPIED_BYTES)
        throw new LurkboxError(
          'HOST_RESOURCES',
          `${quotePath(folder.pathOf(file))} is too large to be looked at.`,
        );
      copyFile(folder, file, copy);
    }
    return work(join(path, name));
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

export function removeDatabase(path: string): void {
  for (const file of filesOf(path)) rmSync(file, { force: true });
}

/** Puts a finished file in the place of another one, in one step that a crash cannot undo. */
export function replaceFile(finished: string, path: string): void {
  syncToDisk(finished);
  renameSync(finished, path);
  syncToDisk(dirname(path));
}

function syncToDisk(path: string): void {
  const handle = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Renames a database and its companions; answers the new path of the database, `null` when nothing was there. */
export function moveAside(path: string, now: Date, why: 'broken' | 'replaced' = 'broken'): string | null {
  const present = filesOf(path).filter((file) => lstatSync(file, { throwIfNoEntry: false }) !== undefined);
  if (present.length === 0) return null;
  const aside = freeName(`${path}.${why}-${now.toISOString().replaceAll(':', '-')}`);
  for (const file of present) renameSync(file, aside + file.slice(path.length));
  syncToDisk(dirname(path));
  return aside;
}

function freeName(wanted: string): string {
  const isFree = (name: string) =>
    filesOf(name).every((file) => lstatSync(file, { throwIfNoEntry: false }) === undefined);
  let name = wanted;
  for (let count = 2; !isFree(name); count++) name = `${wanted}-${count}`;
  return name;
}

/**
 * Who writes to a store holds it shared, who replaces its files holds it alone: else one process would write into the
 * file that another has just moved aside. It is an empty database that nothing is ever written to, because SQLite's
 * locks end with their process, and Node has none of its own.
 */
export class StoreLock {
  readonly #path: string;
  readonly #database: Database;

  constructor(path: string) {
    this.#path = path;
    createPrivateFile(path);
    if (lstatSync(path).size > 0) truncateSync(path);
    this.#database = new Database(path);
  }

  shared<T>(work: () => T): T {
    return this.#hold(() => {
      this.#database.exec('BEGIN');
      this.#database.get('SELECT count(*) FROM sqlite_schema');
    }, work);
  }

  exclusive<T>(work: () => T): T {
    return this.#hold(() => this.#database.exec('BEGIN EXCLUSIVE'), work);
  }

  #hold<T>(take: () => void, work: () => T): T {
    try {
      this.#take(take);
      return work();
    } finally {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
    }
  }

  // What is wrong with the lock must not be taken for a fault of the store.
  #take(take: () => void): void {
    try {
      take();
    } catch (cause) {
      if (!isBroken(cause)) throw cause;
      const message = `Expected an empty file at ${quotePath(this.#path)}, got something else; remove it.`;
      throw new LurkboxError('REGISTRY_INVALID', message, { cause });
    }
  }

  close(): void {
    this.#database.close();
  }
}
