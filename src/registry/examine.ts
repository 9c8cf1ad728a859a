import { accessSync, constants } from 'node:fs';
import { LurkboxError } from '../errors.ts';
import { showPath } from '../printable.ts';
import { Database, isOfContent } from './sqlite.ts';
import { statRegularFile } from './store-files.ts';

/** What makes a database one of ours. */
export interface StoreFormat {
  /** First part of the names of its files. */
  readonly name: string;
  /** In the header of the file, so that it is known for what it is. */
  readonly applicationId: number;
  /** Grows when `tables` change. */
  readonly version: number;
  /** Whether a write is on the disk when it returns; otherwise a fall of the machine may take the last ones. */
  readonly isDurable: boolean;
  /** Statements that make it; `STORE_TABLE` first. */
  readonly tables: readonly string[];
  /** Tables whose ids are never given twice. */
  readonly counted: readonly string[];
}

/** One row, in every store of every version. `id` tells two stores of one format apart. */
export const STORE_TABLE = `CREATE TABLE store (
  id TEXT NOT NULL,
  format INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  removed_at INTEGER NOT NULL
) STRICT`;

export interface Identity {
  readonly id: string;
  readonly format: number;
  /** Grows with each change. */
  readonly revision: number;
}

export type Examination =
  | { readonly is: 'missing' }
  | { readonly is: 'broken'; readonly why: string }
  | { readonly is: 'good'; readonly identity: Identity };

/**
 * Reads a whole store, changing nothing. Only what is certain to be no sound store is called broken; a fault of the
 * disk or a lock is thrown.
 * @throws LurkboxError `REGISTRY_INVALID` when a newer version of lurkbox wrote it
 */
export function examine(path: string, format: StoreFormat): Examination {
  const stats = statRegularFile(path);
  if (stats === null) return { is: 'missing' };
  if (stats.size === 0) return { is: 'broken', why: 'it is empty' };
  accessSync(path, constants.R_OK | constants.W_OK);
  try {
    const found = using(new Database(path, { readOnly: true }), (database) =>
      database.snapshot(() => examineContent(database, path, format)),
    );
    if (found.is === 'good') using(new Database(path), (database) => database.write(() => {}));
    return found;
  } catch (error) {
    if (isOfContent(error)) return { is: 'broken', why: (error as Error).message };
    throw error;
  }
}

function using<T>(database: Database, work: (database: Database) => T): T {
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function examineContent(database: Database, path: string, format: StoreFormat): Examination {
  const why =
    findForeign(database, path, format) ?? findDamage(database) ?? findOtherTables(database, format);
  if (why !== null) return { is: 'broken', why };
  const identities = database.all<Identity>('SELECT id, format, revision FROM store');
  const [identity] = identities;
  return identity === undefined || identities.length > 1
    ? { is: 'broken', why: `it has ${identities.length} rows in \`store\`` }
    : { is: 'good', identity };
}

function findForeign(database: Database, path: string, format: StoreFormat): string | null {
  const application = database.get<{ application_id: number }>('PRAGMA application_id')?.application_id;
  if (application !== format.applicationId) return 'it is a database of something else';
  const version = database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (version === format.version) return null;
  // It stands in two places, so that a damaged number is not taken for a newer version.
  if (version > format.version && readFormat(database) === version)
    throw new LurkboxError(
      'REGISTRY_INVALID',
      `${showPath(path)} has format ${version} of a newer lurkbox, this one knows ${format.version}; nothing was changed. Use the newer version.`,
    );
  return `its format is ${version}, expected ${format.version}`;
}

function readFormat(database: Database): number | null {
  try {
    return database.get<{ format: number }>('SELECT format FROM store')?.format ?? null;
  } catch {
    return null;
  }
}

function findDamage(database: Database): string | null {
  const [first] = database.all<{ integrity_check: string }>('PRAGMA integrity_check(1)');
  if (first?.integrity_check !== 'ok') return `a check of it says: ${first?.integrity_check ?? 'nothing'}`;
  const orphans = database.all('PRAGMA foreign_key_check');
  return orphans.length === 0 ? null : 'rows of it belong to others that are missing';
}

function findOtherTables(database: Database, { tables }: StoreFormat): string | null {
  const found = database.all<{ sql: string }>(
    "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  );
  const same = found.length === tables.length && found.every(({ sql }) => tables.includes(sql));
  return same ? null : 'its tables are not those of its format';
}
