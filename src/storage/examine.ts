import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath, quoteValue } from '../printable.ts';
import { VERSION } from '../version.ts';
import { Database, isOfContent } from './database.ts';
import { statRegularFile } from './store-files.ts';
import { type StoreFormat, tablesOf } from './store-format.ts';

export interface Identity {
  readonly id: string;
  /** That of the program, or an earlier one. */
  readonly format: number;
  /** Grows with each change. */
  readonly revision: number;
}

export type Examination =
  | { readonly is: 'missing' }
  | { readonly is: 'broken'; readonly why: string }
  | { readonly is: 'good'; readonly identity: Identity };

/**
 * Reads a whole store, changing nothing. Only what is certain to be no sound store is called broken; a fault of the disk or
 * a lock is thrown. `isUsed`: it has to be one that can be written, too.
 * @throws LurkboxError `REGISTRY_INVALID` when a newer version of lurkbox wrote it
 */
export function examine(path: string, format: StoreFormat, { isUsed = true } = {}): Examination {
  const stats = statRegularFile(path);
  if (stats === null) return { is: 'missing' };
  if (stats.size === 0) return { is: 'broken', why: 'it is empty' };
  accessSync(path, isUsed ? constants.R_OK | constants.W_OK : constants.R_OK);
  try {
    const found = examineReading(path, format);
    if (isUsed && found.is === 'good') assertWritable(path);
    return found;
  } catch (error) {
    if (isOfContent(error)) return { is: 'broken', why: (error as Error).message };
    throw error;
  }
}

function examineReading(path: string, format: StoreFormat): Examination {
  using database = new Database(path, { readOnly: true });
  return database.snapshot(() => examineContent(database, path, format));
}

function assertWritable(path: string): void {
  using database = new Database(path);
  database.write(() => {});
}

function examineContent(database: Database, path: string, format: StoreFormat): Examination {
  const why =
    findForeign(database, path, format) ??
    // Before what evaluates expressions of the schema, which may be those of somebody else.
    findOtherTables(database, tablesOf(format, readVersion(database)) ?? []) ??
    findDamage(database);
  if (why !== null) return { is: 'broken', why };
  const [identity, ...others] = database.all<Identity>('SELECT id, format, revision FROM store LIMIT 2');
  return identity === undefined || others.length > 0
    ? { is: 'broken', why: `it has ${identity === undefined ? 'no row' : 'several rows'} in \`store\`` }
    : { is: 'good', identity };
}

function findForeign(database: Database, path: string, format: StoreFormat): string | null {
  const application = database.get<{ application_id: number }>('PRAGMA application_id')?.application_id;
  if (application !== format.applicationId) return 'it is a database of something else';
  if (!hasStoreTable(database)) return OTHER_TABLES;
  const version = readVersion(database);
  // It stands in two places, so that a damaged number is not taken for another version.
  const isTwice = readOwn<number>(database, 'SELECT format AS value FROM store') === version;
  if (isTwice && version > format.version) throw newerStore(database, path, version, format.version);
  if (isTwice && tablesOf(format, version) !== null) return null;
  return isTwice
    ? `its format is ${version}, expected ${format.version}`
    : `its format is ${version} in one place and not in another`;
}

function newerStore(database: Database, path: string, version: number, known: number): LurkboxError {
  const by = readOwn<string>(database, 'SELECT lurkbox AS value FROM store');
  const writer = by === null ? 'A newer lurkbox' : `lurkbox ${quoteValue(by)}`;
  return new LurkboxError(
    'REGISTRY_INVALID',
    `${quotePath(path)} has format ${version}, this lurkbox (${VERSION}) knows up to ${known}; nothing was changed. ${writer} wrote it: use that version or a later one, or move the folder ${quotePath(dirname(path))} away to begin anew.`,
  );
}

function readVersion(database: Database): number {
  return database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
}

/** Of its own row; `null` where it does not have that. */
function readOwn<Value>(database: Database, sql: string): Value | null {
  try {
    return database.get<{ value: Value }>(sql)?.value ?? null;
  } catch (error) {
    // A disk that cannot be read says nothing of what is on it.
    if (isOfContent(error)) return null;
    throw error;
  }
}

function findDamage(database: Database): string | null {
  const [first] = database.all<{ integrity_check: string }>('PRAGMA integrity_check(1)');
  if (first?.integrity_check !== 'ok')
    return `a check of it says: ${first?.integrity_check.replaceAll('\n', ' ') ?? 'nothing'}`;
  const orphan = database.get('PRAGMA foreign_key_check');
  return orphan === undefined ? null : 'rows of it belong to others that are missing';
}

const OTHER_TABLES = 'its tables are not those of its format';

/** A view in the place of a table, or a trigger, is a program of whoever made the file, and need not come to an end. */
export function findOtherTables(database: Database, tables: readonly string[]): string | null {
  const found = readSchema(database);
  const same = found.length === tables.length && found.every((sql) => tables.includes(sql));
  return same ? null : OTHER_TABLES;
}

/** The statements of all that is in a database, without those of SQLite itself. */
export function readSchema(database: Database): string[] {
  const found = database.all<{ sql: string }>('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL');
  return found.map(({ sql }) => sql).filter((sql) => sql !== 'CREATE TABLE sqlite_sequence(name,seq)');
}

/** Of every version, also of later ones: columns that are there, and none that is computed. */
const STORE_TABLE = /^CREATE TABLE store \(\n(?: {2}[a-z_]+ (?:TEXT|INTEGER) NOT NULL,?\n)+\) STRICT$/;

/** Whether what goes by that name is a table that may be read. */
function hasStoreTable(database: Database): boolean {
  return readSchema(database).some((sql) => STORE_TABLE.test(sql));
}

/** Without a look at the rest of it; `null` when that much cannot be read. */
export function peek(path: string): Identity | null {
  if (statRegularFile(path) === null) return null;
  using database = new Database(path, { readOnly: true });
  try {
    if (!hasStoreTable(database)) return null;
    return database.get<Identity>('SELECT id, format, revision FROM store') ?? null;
  } catch {
    return null;
  }
}
