import { type Migration, rebuildTables } from '../../storage/store-format.ts';

/** Format 1 → 2: the store says which lurkbox brought it to its format. */
export const ACTIVITY_FROM_1: Migration = {
  tables: [
    `CREATE TABLE store (
  id TEXT NOT NULL,
  format INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  removed_at INTEGER NOT NULL
) STRICT`,
    `CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL,
  type TEXT NOT NULL,
  event TEXT NOT NULL
) STRICT`,
    'CREATE INDEX events_by_plugin ON events (plugin, id)',
    `CREATE TABLE calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin_id INTEGER NOT NULL,
  call TEXT NOT NULL
) STRICT`,
    'CREATE INDEX calls_by_plugin ON calls (plugin_id, id)',
  ],
  migrate(database, { tables: [store = ''], lurkbox }) {
    rebuildTables(database, {
      names: ['store'],
      tables: [store],
      fill: () =>
        database.run('INSERT INTO store SELECT id, format, revision, removed_at, ? FROM old_store', lurkbox),
    });
  },
};
