import type { Database } from './database.ts';

/** How a database is recognised as a store of lurkbox. */
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
  /** From each earlier version to the next; the first is from version 1. */
  readonly migrations: readonly Migration[];
  /** Tables whose ids are never given twice. */
  readonly counted: readonly string[];
  /** What a person does about one that is damaged and has no sound backup; `null`: it begins empty, and is kept. */
  readonly wayOut: string | null;
}

/**
 * One row, in every store of every version. `id` tells two stores of one format apart, `lurkbox` is the version that
 * made this one or brought it to its format: what an older one says when it must refuse it.
 */
export const STORE_TABLE = `CREATE TABLE store (
  id TEXT NOT NULL,
  format INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  removed_at INTEGER NOT NULL,
  lurkbox TEXT NOT NULL
) STRICT`;

/** The statements that make a store of that version; `null` for one that is not known. */
export function tablesOf(format: StoreFormat, version: number): readonly string[] | null {
  return version === format.version ? format.tables : (format.migrations[version - 1]?.tables ?? null);
}

/** How a store of one version of its format becomes one of the next. Never edited once it was released. */
export interface Migration {
  /** The statements that made the tables of the version that it begins with. */
  readonly tables: readonly string[];
  /** One step of a transaction that others commit; what it throws undoes all of them. */
  migrate(database: Database, place: MigrationPlace): void;
}

export interface MigrationPlace {
  /** The statements that make the tables of the version that it leads to. */
  readonly tables: readonly string[];
  /** Of the workspace, absolute, with its links resolved. */
  readonly root: string;
  /** Version of the lurkbox that migrates. */
  readonly lurkbox: string;
}

/**
 * Has each table begin anew and filled by `fill`, while the old rows are in tables named `old_…`; children stand before
 * their parents in `names`. Ids go on where they were.
 */
export function rebuildTables(
  database: Database,
  { names, tables, fill }: { names: readonly string[]; tables: readonly string[]; fill: () => void },
): void {
  // SQLite forgets how far a table has counted when it is dropped.
  const counted = database.all<{ name: string; seq: number }>('SELECT name, seq FROM sqlite_sequence');
  for (const name of names) {
    database.exec(`CREATE TABLE old_${name} AS SELECT * FROM ${name}`);
    database.exec(`DROP TABLE ${name}`);
  }
  for (const table of tables) database.exec(table);
  fill();
  for (const name of names) database.exec(`DROP TABLE old_${name}`);
  for (const { name, seq } of counted) {
    database.run('DELETE FROM sqlite_sequence WHERE name = ?', name);
    database.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', name, seq);
  }
}
