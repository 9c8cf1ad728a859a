import { dirname, join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { VERSION } from '../version.ts';
import { Database } from './database.ts';
import { findOtherTables } from './examine.ts';
import { copyDatabase, removeDatabase, replaceFile } from './store-files.ts';
import { type StoreFormat, tablesOf } from './store-format.ts';

/** Formats before the present one of which a copy is kept beside the store. */
const KEPT_COPIES = 3;

/**
 * Brings a sound store of an earlier format to the present one, in one transaction, and keeps a copy of what it was.
 * Only while nobody else has the store open for writing. Answers where the copy is.
 */
export function migrateStore(path: string, format: StoreFormat, from: number, root: string): string {
  const copy = keepCopy(path, format, from);
  using database = new Database(path);
  database.write(() => runMigrations(database, format, from, root));
  return copy;
}

function runMigrations(database: Database, format: StoreFormat, from: number, root: string): void {
  for (let version = from; version < format.version; version++) {
    const tables = tablesOf(format, version + 1)!;
    format.migrations[version - 1]!.migrate(database, { tables, root, lurkbox: VERSION });
    database.run('UPDATE store SET format = ?', version + 1);
    database.exec(`PRAGMA user_version = ${version + 1}`);
  }
  const fault = findOtherTables(database, format.tables) ?? findLost(database);
  if (fault !== null)
    throw new LurkboxError(
      'INTERNAL',
      `A store of format ${from} was not brought to ${format.version}: ${fault}.`,
    );
}

function findLost(database: Database): string | null {
  return database.all('PRAGMA foreign_key_check').length === 0
    ? null
    : 'rows of it belong to others that are missing';
}

/** One file, whole, put in its place in one step; one of an earlier try is replaced. */
function keepCopy(path: string, { name, version }: StoreFormat, from: number): string {
  const nameOf = (format: number) => join(dirname(path), `${name}.v${format}.db`);
  const copy = nameOf(from);
  const finished = `${copy}.new`;
  copyDatabase(path, finished);
  replaceFile(finished, copy);
  for (let old = 1; old < version - KEPT_COPIES; old++) removeDatabase(nameOf(old));
  return copy;
}

/** What a person reads of it. */
export function describeMigration(path: string, from: number, to: number, copy: string): string {
  return `${quotePath(path)} was of format ${from} and is of format ${to} now; an older lurkbox cannot read it any more. A copy of it as it was is kept as ${quotePath(copy)}.`;
}
