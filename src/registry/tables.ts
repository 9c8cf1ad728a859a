import { STORE_TABLE, type StoreFormat } from './examine.ts';

/** `seal`: see `seal.ts`. `revision`: that of the store with which something of the plugin changed last. */
export const REGISTRY_FORMAT: StoreFormat = {
  name: 'registry',
  applicationId: 0x6c726b31,
  version: 1,
  isDurable: true,
  tables: [
    STORE_TABLE,
    `CREATE TABLE plugins (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  active INTEGER,
  active_before TEXT NOT NULL,
  consented TEXT NOT NULL,
  canary TEXT,
  seal INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT`,
    `CREATE TABLE versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin_id INTEGER NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  folder TEXT NOT NULL,
  source TEXT NOT NULL,
  manifest TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  installed_at TEXT NOT NULL,
  seal INTEGER NOT NULL,
  UNIQUE (plugin_id, version, digest)
) STRICT`,
    `CREATE TABLE statistics (
  version_id INTEGER PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
  calls INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  total_ms REAL NOT NULL,
  last_call_at TEXT
) STRICT`,
    'CREATE INDEX plugins_by_revision ON plugins (revision)',
  ],
  counted: ['plugins', 'versions'],
};

export interface PluginRow {
  readonly id: number;
  readonly name: string;
  readonly active: number | null;
  readonly active_before: string;
  readonly consented: string;
  readonly canary: string | null;
  readonly seal: number;
}

/** A version with its statistics. */
export interface VersionRow {
  readonly id: number;
  readonly plugin_id: number;
  readonly version: string;
  readonly digest: string;
  readonly folder: string;
  readonly source: string;
  readonly manifest: string;
  readonly state: string;
  readonly reason: string | null;
  readonly installed_at: string;
  readonly seal: number;
  readonly calls: number | null;
  readonly failures: number | null;
  readonly total_ms: number | null;
  readonly last_call_at: string | null;
}

const PLUGIN_COLUMNS = 'SELECT id, name, active, active_before, consented, canary, seal FROM plugins';
const VERSION_COLUMNS = 'SELECT * FROM versions LEFT JOIN statistics ON version_id = id';

export const SELECT = {
  allPlugins: PLUGIN_COLUMNS,
  plugin: `${PLUGIN_COLUMNS} WHERE name = ?`,
  allVersions: `${VERSION_COLUMNS} ORDER BY id DESC`,
  versions: `${VERSION_COLUMNS} WHERE plugin_id = ? ORDER BY id DESC`,
} as const;
