import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { isProcessGone, ownProcess } from '../process.ts';
import { VERSION } from '../version.ts';
import { BrokenError, Database } from './database.ts';
import { type Examination, examine, type Identity } from './examine.ts';
import type { Folder } from './folder.ts';
import { describeMigration, migrateStore } from './migrate.ts';
import {
  copyPrivately,
  createPrivateFile,
  filesOf,
  makePrivate,
  moveAside,
  removeDatabase,
  replaceFile,
  statRegularFile,
} from './store-files.ts';
import type { StoreFormat } from './store-format.ts';
import { StoreLock } from './store-lock.ts';

/** A fault that was met while a store was in use, and the file it was met in. */
export interface Fault {
  readonly why: string;
  readonly inode: number;
}

export interface PlaceOptions {
  /** Of the workspace, absolute, with its links resolved. */
  readonly root: string;
  readonly now: () => number;
  /** Told what was wrong and what was done about it. */
  readonly report: (repair: string) => void;
  /** Told what somebody should know, though nothing was wrong. */
  readonly notify: (notice: string) => void;
}

/** Where a store is kept: its file, its backup, and the lock of those who replace them. */
export class DatabaseFiles {
  /** For calls: it goes through the folder that is held, whatever becomes of the way to that. */
  readonly path: string;
  readonly #folder: Folder;
  readonly #format: StoreFormat;
  readonly #backupPath: string;
  readonly #lock: StoreLock;
  readonly #root: string;
  readonly #now: () => number;
  readonly #report: (repair: string) => void;
  readonly #notify: (notice: string) => void;

  constructor(folder: Folder, format: StoreFormat, { root, now, report, notify }: PlaceOptions) {
    this.path = folder.at(`${format.name}.db`);
    this.#backupPath = folder.at(`${format.name}.backup.db`);
    this.#folder = folder;
    this.#format = format;
    this.#root = root;
    this.#now = now;
    this.#report = (repair) => report(folder.explain(repair));
    this.#notify = (notice) => notify(folder.explain(notice));
    this.#lock = new StoreLock(folder.at(`${format.name}.lock`));
  }

  /** While this goes on nobody replaces the file. */
  keep<T>(work: () => T): T {
    return this.#lock.shared(work);
  }

  /** Opens the store; makes it or mends it first where that is needed. */
  open(fault: Fault | null = null): { database: Database; inode: number } {
    return this.#lock.exclusive(() => {
      for (const file of [...filesOf(this.path), this.#backupPath]) makePrivate(file);
      for (const path of [this.path, this.#backupPath]) this.#putJournalAside(path);
      const found = this.#examine(fault);
      if (found.is === 'good') this.#migrate(this.path, found.identity.format);
      else this.#replace(found);
      return { database: connect(this.path, this.#format), inode: this.inode };
    });
  }

  /** Number of the file that is there now; 0 when none is. */
  get inode(): number {
    if (!this.#folder.isInPlace)
      throw new LurkboxError(
        'REGISTRY_INVALID',
        `${quotePath(this.#folder.path)} was moved, removed or replaced while it was in use; nothing is read from or written to it any more. Put it back, or start again.`,
      );
    return statRegularFile(this.path)?.ino ?? 0;
  }

  #examine(fault: Fault | null): Examination {
    // Otherwise somebody else has met it too, and has replaced the file.
    if (fault !== null && fault.inode === this.inode) return { is: 'broken', why: fault.why };
    const found = examine(this.path, this.#format);
    if (found.is !== 'good') return found;
    const backup = peek(this.#backupPath);
    const isBehind = backup?.id === found.identity.id && backup.revision > found.identity.revision;
    return isBehind
      ? { is: 'broken', why: 'it is older than its backup, so a part of it is missing' }
      : found;
  }

  #migrate(path: string, from: number): void {
    const { version } = this.#format;
    if (from === version) return;
    const copy = migrateStore(path, this.#format, from, this.#root);
    this.#notify(describeMigration(this.path, from, version, copy));
  }

  // SQLite would write into the store what stands there; a store of ours is never without its own log.
  #putJournalAside(path: string): void {
    const moved = moveAside(`${path}-journal`, new Date(this.#now()));
    if (moved !== null)
      this.#report(
        `A journal that lurkbox does not make was beside ${quotePath(path)}. It is kept as ${quotePath(moved)}.`,
      );
  }

  #replace(found: Exclude<Examination, { is: 'good' }>): void {
    // A backup that must not be used is met before anything is moved.
    const backup = examine(this.#backupPath, this.#format);
    const savedAt = backup.is === 'good' ? statRegularFile(this.#backupPath)?.mtime : undefined;
    const isFirst = found.is === 'missing' && backup.is === 'missing' && !this.#hasRemains();
    const finished = `${this.path}.new`;
    removeDatabase(finished);
    if (backup.is === 'good') {
      copyPrivately(this.#backupPath, finished);
      this.#migrate(finished, backup.identity.format);
    } else createPrivateFile(finished);
    this.#finish(finished, { isNew: backup.is !== 'good', isFirst });
    const moved = [this.path, ...(backup.is === 'broken' ? [this.#backupPath] : [])]
      .map((path) => moveAside(path, new Date(this.#now())))
      .filter((path) => path !== null);
    replaceFile(finished, this.path);
    if (!isFirst) this.#report(this.#describe(found, moved, savedAt));
  }

  /** What is there of an earlier store; whoever moved it aside may have been killed before saying so. */
  #hasRemains(): boolean {
    const companions = filesOf(this.path).map((path) => basename(path));
    return readdirSync(this.#folder.here).some(
      (name) => companions.includes(name) || name.startsWith(`${companions[0]}.broken-`),
    );
  }

  /** Everything is done before the file is in its place, where a crash could leave it half done. */
  #finish(path: string, { isNew, isFirst }: { isNew: boolean; isFirst: boolean }): void {
    const database = new Database(path);
    try {
      if (isNew) createTables(database, this.#format);
      // What was given after the last backup is not known, so the next ids begin where none can have been.
      if (!isFirst) skipIds(database, this.#format, this.#now());
      database.exec('PRAGMA journal_mode = WAL');
    } finally {
      database.close();
    }
  }

  #describe(found: Examination, moved: readonly string[], savedAt: Date | undefined): string {
    const what = found.is === 'broken' ? `was broken (${found.why})` : 'was missing';
    const where = moved.length === 0 ? '' : ` It is kept as ${moved.map(quotePath).join(' and ')}.`;
    const instead =
      savedAt === undefined
        ? 'No good backup was there, so it begins empty.'
        : `The backup of ${savedAt.toISOString()} took its place.`;
    return `${quotePath(this.path)} ${what}.${where} ${instead}`;
  }

  /**
   * Makes what `database` holds the backup, unless that is newer. Throws when the copy is no good one; the backup stays
   * what it was then.
   */
  async saveBackup(database: Database): Promise<void> {
    const copy = `${this.#backupPath}.${ownProcess().replaceAll(':', '.')}.${randomUUID()}`;
    this.#removeStaleCopies();
    try {
      createPrivateFile(copy);
      await database.copyTo(copy);
      makeSingleFile(copy);
      const copied = examine(copy, this.#format);
      if (copied.is !== 'good')
        throw new BrokenError(copied.is === 'broken' ? copied.why : 'its copy is missing');
      this.#lock.exclusive(() => {
        const current = peek(this.#backupPath);
        const { id, revision } = copied.identity;
        if (current?.id !== id || current.revision < revision) replaceFile(copy, this.#backupPath);
      });
    } finally {
      removeDatabase(copy);
    }
  }

  #removeStaleCopies(): void {
    const start = `${basename(this.#backupPath)}.`;
    for (const name of readdirSync(this.#folder.here)) {
      const owner = name.startsWith(start)
        ? /^(\d+\.\d+\.\d+)\.[-\w]+$/.exec(name.slice(start.length))?.[1]
        : undefined;
      if (owner !== undefined && isProcessGone(owner.replaceAll('.', ':')))
        removeDatabase(this.#folder.at(name));
    }
  }

  close(): void {
    this.#lock.close();
  }
}

/** Without a look at the rest of it; `null` when that much cannot be read. */
function peek(path: string): Identity | null {
  if (statRegularFile(path) === null) return null;
  const database = new Database(path, { readOnly: true });
  try {
    return database.get<Identity>('SELECT id, format, revision FROM store') ?? null;
  } catch {
    return null;
  } finally {
    database.close();
  }
}

/** Without a companion: one file can be put in its place in one step. */
function makeSingleFile(path: string): void {
  const database = new Database(path);
  try {
    database.exec('PRAGMA journal_mode = DELETE');
  } finally {
    database.close();
  }
}

function connect(path: string, { isDurable }: StoreFormat): Database {
  const database = new Database(path);
  try {
    database.exec(`PRAGMA synchronous = ${isDurable ? 'FULL' : 'NORMAL'}; PRAGMA trusted_schema = OFF`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function skipIds(database: Database, { counted }: StoreFormat, next: number): void {
  database.write(() => {
    for (const table of counted) {
      const highest = database.get<{ seq: number }>(
        'SELECT seq FROM sqlite_sequence WHERE name = ?',
        table,
      )?.seq;
      database.run('DELETE FROM sqlite_sequence WHERE name = ?', table);
      database.run(
        'INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)',
        table,
        Math.max(highest ?? 0, next),
      );
    }
  });
}

export function createTables(database: Database, { applicationId, version, tables }: StoreFormat): void {
  database.write(() => {
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`);
    for (const table of tables) database.exec(table);
    database.run('INSERT INTO store VALUES (?, ?, 0, 0, ?)', randomUUID(), version, VERSION);
  });
}
