import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { VERSION } from '../version.ts';
import { saveBackup } from './backups.ts';
import { Database } from './database.ts';
import { type Examination, examine, peek } from './examine.ts';
import type { Folder } from './folder.ts';
import { describeMigration, migrateStore } from './migrate.ts';
import {
  copyDatabase,
  createPrivateFile,
  filesOf,
  makePrivate,
  moveAside,
  removeDatabase,
  replaceFile,
  StoreLock,
  statRegularFile,
  withCopy,
  writtenAt,
} from './store-files.ts';
import type { StoreFormat } from './store-format.ts';

export interface PlaceOptions {
  /** Of the workspace, absolute, with its links resolved. */
  readonly root: string;
  readonly now: () => number;
  /** Told what was wrong and what was done about it. */
  readonly report: (repair: string) => void;
  /** Told what somebody should know, though nothing was wrong. */
  readonly notify: (notice: string) => void;
}

export interface OpenDatabase {
  readonly database: Database;
  /** Of the file that it is. */
  readonly inode: number;
}

type Unsound = Exclude<Examination, { is: 'good' }>;

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

  /** Nobody replaces the file while this runs. */
  keep<T>(work: () => T): T {
    return this.#lock.shared(work);
  }

  /** Opens the store once it was examined; makes it, or has its backup take its place, where that is needed. */
  open(): OpenDatabase {
    return this.#lock.exclusive(() => {
      for (const file of [...filesOf(this.path), this.#backupPath]) makePrivate(file);
      for (const path of [this.path, this.#backupPath]) this.#putJournalAside(path);
      const found = this.#examine();
      if (found.is === 'good') this.#migrate(this.path, found.identity.format);
      else this.#repair(found);
      return this.#connect();
    });
  }

  /** Opens what has taken the place of the store while it was used; nothing is repaired then. */
  reopen(): OpenDatabase {
    return this.#lock.exclusive(() => {
      const found = this.#examine();
      if (found.is === 'good' && found.identity.format === this.#format.version) return this.#connect();
      throw this.#refusal(found, 'while it was used');
    });
  }

  /**
   * Puts another database of this folder in the place of the store, or an empty one (`null`), and keeps what was there.
   * Answers where. A process that is killed meanwhile leaves the one or the other.
   */
  restore(source: string | null): readonly string[] {
    return this.#lock.exclusive(() => {
      const finished = this.#prepareCopy(source);
      const kept: (string | null)[] = [];
      if (source === null || this.#folder.at(source) !== this.#backupPath) {
        // First of all: whoever finds no sound store takes the backup.
        const backup = `${this.#backupPath}.new`;
        copyDatabase(finished, backup);
        kept.push(this.#moveAside(this.#backupPath, 'replaced'));
        replaceFile(backup, this.#backupPath);
      }
      kept.push(this.#moveAside(this.path, 'replaced'));
      replaceFile(finished, this.path);
      return kept.filter((path) => path !== null).map((path) => basename(path));
    });
  }

  #prepareCopy(source: string | null): string {
    if (source === null) return this.#prepare(null, { isFirst: false });
    return withCopy(this.#folder, source, (path) => {
      const found = examine(path, this.#format, { isUsed: false });
      if (found.is === 'good') return this.#prepare(path, { isFirst: false });
      const why = found.is === 'broken' ? `is damaged (${found.why})` : 'is missing';
      throw new LurkboxError(
        'REGISTRY_INVALID',
        `${quotePath(this.#folder.pathOf(source))} ${why} and cannot take the place of the store; nothing was changed.`,
      );
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

  #examine(): Examination {
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

  // SQLite would write its content into the store; a store of lurkbox uses a write-ahead log and never has one.
  #putJournalAside(path: string): void {
    const moved = moveAside(`${path}-journal`, new Date(this.#now()));
    if (moved !== null)
      this.#report(
        `A journal that lurkbox does not make was beside ${quotePath(path)}. It is kept as ${quotePath(moved)}.`,
      );
  }

  #repair(found: Unsound): void {
    // A backup that must not be used is met before anything is moved.
    const backup = examine(this.#backupPath, this.#format);
    const isFirst = found.is === 'missing' && backup.is === 'missing' && !this.#hasRemains();
    if (backup.is !== 'good' && !isFirst && this.#format.wayOut !== null)
      throw this.#refusal(found, 'and it has no sound backup');
    const saved = backup.is === 'good' ? statRegularFile(this.#backupPath) : null;
    const finished = this.#prepare(saved === null ? null : this.#backupPath, { isFirst });
    const moved = [this.path, ...(backup.is === 'broken' ? [this.#backupPath] : [])]
      .map((path) => this.#moveAside(path, 'broken'))
      .filter((path) => path !== null);
    replaceFile(finished, this.path);
    if (!isFirst) this.#report(this.#describe(found, moved, saved === null ? null : writtenAt(saved)));
  }

  #refusal(found: Examination, when: string): LurkboxError {
    const what =
      found.is === 'broken'
        ? `is damaged (${found.why})`
        : found.is === 'missing'
          ? 'is missing'
          : 'has another format';
    const wayOut = this.#format.wayOut ?? 'start again';
    return new LurkboxError(
      'REGISTRY_INVALID',
      this.#folder.explain(
        `${quotePath(this.path)} ${what}, ${when}; nothing was changed. To go on, ${wayOut}.`,
      ),
    );
  }

  #moveAside(path: string, why: 'broken' | 'replaced'): string | null {
    return moveAside(path, new Date(this.#now()), why);
  }

  /** What is there of an earlier store; whoever moved it aside may have been killed before saying so. */
  #hasRemains(): boolean {
    const names = filesOf(this.path).map((path) => basename(path));
    const isRemains = (name: string) =>
      names.includes(name) ||
      [`${names[0]}.broken-`, `${names[0]}.replaced-`].some((start) => name.startsWith(start));
    return readdirSync(this.#folder.here).some(isRemains);
  }

  /** What is to take the place of the store, whole: in its place a crash could leave it half done. */
  #prepare(source: string | null, { isFirst }: { isFirst: boolean }): string {
    const finished = `${this.path}.new`;
    removeDatabase(finished);
    if (source === null) createPrivateFile(finished);
    else {
      copyDatabase(source, finished);
      this.#migrate(finished, peek(finished)?.format ?? this.#format.version);
    }
    using database = new Database(finished);
    if (source === null) createTables(database, this.#format);
    // What was given after the last backup is not known, so the next ids begin where none can have been.
    if (!isFirst) skipIds(database, this.#format, this.#now());
    database.exec('PRAGMA journal_mode = WAL');
    return finished;
  }

  #describe(found: Unsound, moved: readonly string[], savedAt: Date | null): string {
    const what = found.is === 'broken' ? `was broken (${found.why})` : 'was missing';
    const where = moved.length === 0 ? '' : ` It is kept as ${moved.map(quotePath).join(' and ')}.`;
    const instead =
      savedAt === null
        ? 'It begins empty.'
        : `The backup of ${savedAt.toISOString()} took its place. What was changed after that is lost.`;
    return `${quotePath(this.path)} ${what}.${where} ${instead}`;
  }

  #connect(): OpenDatabase {
    return { database: connect(this.path, this.#format), inode: this.inode };
  }

  /** Makes what `database` holds the backup, unless that is newer. */
  async saveBackup(database: Database): Promise<void> {
    const save = { folder: this.#folder, path: this.#backupPath, format: this.#format, lock: this.#lock };
    await saveBackup(database, save);
  }

  close(): void {
    this.#lock.close();
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
