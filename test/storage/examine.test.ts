import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { examine, peek } from '../../src/storage/examine.ts';
import { STORE_TABLE, type StoreFormat } from '../../src/storage/store-format.ts';

const FORMAT: StoreFormat = {
  name: 'things',
  applicationId: 7,
  version: 1,
  isDurable: true,
  tables: [STORE_TABLE, 'CREATE TABLE things (id INTEGER)'],
  migrations: [],
  counted: [],
  wayOut: null,
};
const ROW = "SELECT 'id' AS id, 1 AS format, 9 AS revision, 0 AS removed_at, 'x' AS lurkbox";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lurkbox-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What reads a view runs it, and a view need not come to an end. */
function make(...statements: readonly string[]): string {
  const path = join(folder, 'things.db');
  // Not defensive: the names of SQLite itself are taken by writing to its schema.
  const database = new DatabaseSync(path, { defensive: false });
  database.exec('PRAGMA application_id = 7; PRAGMA user_version = 1');
  for (const statement of statements) database.exec(statement);
  database.close();
  return path;
}

test('a store is good with its own tables and nothing else', () => {
  const path = make(...FORMAT.tables, `INSERT INTO store ${ROW}`);
  expect(examine(path, FORMAT)).toMatchObject({ is: 'good', identity: { id: 'id', revision: 9 } });
  expect(peek(path)).toMatchObject({ id: 'id', revision: 9 });
});

test('a view with the name of a table of a store is not read', () => {
  const path = make(`CREATE VIEW store AS ${ROW}`, 'CREATE TABLE things (id INTEGER)');
  expect(peek(path)).toBeNull();
  // Where it is not read, nobody knows its format from there.
  expect(examine(path, { ...FORMAT, version: 2 })).toEqual({
    is: 'broken',
    why: 'its tables are not those of its format',
  });
});

test('the tables of a store are checked before its content, since that evaluates indexes', () => {
  const path = make(
    ...FORMAT.tables,
    `INSERT INTO store ${ROW}`,
    'CREATE INDEX slow ON things (abs(id))',
    'PRAGMA writable_schema = ON',
    // The check would say that.
    "UPDATE sqlite_schema SET sql = 'CREATE INDEX slow ON things (abs(id + 1))' WHERE name = 'slow'",
    'INSERT INTO things VALUES (1)',
  );
  expect(examine(path, FORMAT)).toEqual({ is: 'broken', why: 'its tables are not those of its format' });
});

test('a trigger with a reserved name of SQLite does not belong to a store', () => {
  const trigger =
    'CREATE TRIGGER sqlite_more AFTER INSERT ON things BEGIN INSERT INTO things VALUES (2); END';
  const path = make(
    ...FORMAT.tables,
    `INSERT INTO store ${ROW}`,
    'PRAGMA writable_schema = ON',
    `INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_more', 'things', 0, '${trigger}')`,
  );
  expect(examine(path, FORMAT)).toEqual({ is: 'broken', why: 'its tables are not those of its format' });
});
