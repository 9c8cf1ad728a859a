import { lstatSync, truncateSync } from 'node:fs';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { Database, isBroken } from './database.ts';
import { createPrivateFile } from './store-files.ts';

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
