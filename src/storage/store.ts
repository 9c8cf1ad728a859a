import { LurkboxError } from '../errors.ts';
import { Database, toStoreError } from './database.ts';
import { createTables, DatabaseFiles, type OpenDatabase, type PlaceOptions } from './database-files.ts';
import type { Folder } from './folder.ts';
import type { StoreFormat } from './store-format.ts';

export interface StoreOptions extends PlaceOptions {
  /** Held open as long as the store is; `null`: in memory. */
  readonly folder: Folder | null;
}

/**
 * A database that is examined, and repaired or refused, when it is opened. A fault that is met while it is used is an error
 * of the call that met it. Where another file has taken its place, as a backup does that somebody restored, that is opened.
 */
export class Store {
  readonly #place: DatabaseFiles | null;
  readonly #name: string;
  readonly #wayOut: string | null;
  readonly #folder: Folder | null;
  #database: Database;
  #inode = 0;
  #opened = 1;
  #isClosed = false;

  /** @throws LurkboxError `REGISTRY_INVALID`, `HOST_RESOURCES` */
  constructor(format: StoreFormat, { folder, ...options }: StoreOptions) {
    this.#name = folder === null ? `${format.name} in memory` : folder.pathOf(`${format.name}.db`);
    this.#folder = folder;
    this.#wayOut = format.wayOut;
    const { place, database, inode } = this.#translate(() => {
      if (folder === null) return { place: null, database: createInMemory(format), inode: 0 };
      const place = new DatabaseFiles(folder, format, options);
      return { place, ...openOrClose(place) };
    });
    this.#place = place;
    this.#database = database;
    this.#inode = inode;
  }

  /** Grows when another file has taken the place of the one that was read. */
  get opened(): number {
    return this.#opened;
  }

  /** What another process has committed is seen. */
  read<T>(work: (database: Database) => T): T {
    this.#assertOpen();
    if (this.#database.inTransaction) return work(this.#database);
    return this.#translate(() => work(this.#current()));
  }

  /** All or nothing, and on the disk when it returns. One inside of another joins it. */
  write<T>(work: (database: Database) => T): T {
    this.#assertOpen();
    if (this.#database.inTransaction) return this.#database.write(() => work(this.#database));
    return this.#translate(() => this.#keep((database) => database.write(() => work(database))));
  }

  /** The backup stays what it was where the copy is no sound one. In memory there is nothing to save. */
  async saveBackup(): Promise<void> {
    if (this.#place === null) return;
    this.#assertOpen();
    try {
      await this.#place.saveBackup(this.#current());
    } catch (error) {
      throw this.#toError(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#database.close();
    this.#place?.close();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new LurkboxError('REGISTRY_INVALID', 'The registry is closed.');
  }

  /** Nobody replaces the file meanwhile. */
  #keep<T>(work: (database: Database) => T): T {
    const place = this.#place;
    if (place === null) return work(this.#database);
    for (;;) {
      const database = this.#current();
      const kept = place.keep(() => (place.inode === this.#inode ? { result: work(database) } : null));
      if (kept !== null) return kept.result;
    }
  }

  /** The connection to the file that is there now, and not to one that somebody has moved aside. */
  #current(): Database {
    if (this.#place !== null && this.#place.inode !== this.#inode) this.#reopen(this.#place);
    return this.#database;
  }

  #reopen(place: DatabaseFiles): void {
    const before = this.#database;
    const { database, inode } = place.reopen();
    this.#database = database;
    this.#inode = inode;
    this.#opened++;
    // Only now: SQLite would tidy up what is to be kept, if the file were still in its place.
    before.close();
  }

  #translate<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#toError(error);
    }
  }

  #toError(error: unknown): unknown {
    const found = toStoreError(error, this.#name, this.#wayOut);
    if (this.#folder === null || !(found instanceof LurkboxError)) return found;
    const message = this.#folder.explain(found.message);
    if (message === found.message) return found;
    return new LurkboxError(found.code, message, { problems: found.problems, cause: found.cause });
  }
}

/** What cannot be opened must not go on holding its lock. */
function openOrClose(place: DatabaseFiles): OpenDatabase {
  try {
    return place.open();
  } catch (error) {
    place.close();
    throw error;
  }
}

function createInMemory(format: StoreFormat): Database {
  const database = new Database(':memory:');
  createTables(database, format);
  return database;
}
