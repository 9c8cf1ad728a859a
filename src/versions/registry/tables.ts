import { STORE_TABLE, type StoreFormat } from '../../storage/store-format.ts';
import { REGISTRY_FROM_1 } from './registry-from-1.ts';

/** The column `seal` is the checksum of `row-checksum.ts`. `revision`: that of the store with which something of the plugin changed last. */
export const REGISTRY_FORMAT: StoreFormat = {
  name: 'registry',
  applicationId: 0x6c726b31,
  version: 2,
  isDurable: true,
  tables: [
    STORE_TABLE,
    `CREATE TABLE plugins (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  origin TEXT NOT NULL,
  active INTEGER,
  active_before TEXT NOT NULL,
  consents TEXT NOT NULL,
  canary TEXT,
  uid INTEGER,
  seal INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT`,
    `CREATE TABLE versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin_id INTEGER NOT NULL REFERENCES plugins (id) ON DELETE CASCADE,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  content TEXT NOT NULL,
  lock TEXT,
  folder TEXT NOT NULL,
  origin TEXT NOT NULL,
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
  migrations: [REGISTRY_FROM_1],
  counted: ['plugins', 'versions'],
  wayOut: 'run `lurkbox registry restore`, which shows what can take its place',
};

export interface PluginRow {
  readonly id: number;
  readonly name: string;
  readonly origin: string;
  readonly active: number | null;
  readonly active_before: string;
  readonly consents: string;
  readonly canary: string | null;
  readonly uid: number | null;
  readonly seal: number;
}

/** A version with its statistics. */
export interface VersionRow {
  readonly id: number;
  readonly plugin_id: number;
  readonly version: string;
  readonly digest: string;
  readonly content: string;
  readonly lock: string | null;
  readonly folder: string;
  readonly origin: string;
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

const PLUGIN_COLUMNS =
  'SELECT id, name, origin, active, active_before, consents, canary, uid, seal FROM plugins';
const VERSION_COLUMNS = 'SELECT * FROM versions LEFT JOIN statistics ON version_id = id';

export const SELECT = {
  allPlugins: PLUGIN_COLUMNS,
  plugin: `${PLUGIN_COLUMNS} WHERE name = ?`,
  allVersions: `${VERSION_COLUMNS} ORDER BY id DESC`,
  versions: `${VERSION_COLUMNS} WHERE plugin_id = ? ORDER BY id DESC`,
} as const;
