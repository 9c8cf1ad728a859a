import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import { PluginManifestSchema } from '../../manifest/schema.ts';
import type { Database } from '../../storage/database.ts';
import { type Migration, type MigrationPlace, rebuildTables } from '../../storage/store-format.ts';
import { attributeConsent } from './consents.ts';
import { toStoredOrigin } from './origin.ts';
import type { PluginOrigin } from './record.ts';

interface PluginRow1 {
  readonly id: number;
  readonly name: string;
  readonly active: number | null;
  readonly active_before: string;
  readonly consented: string;
  readonly canary: string | null;
  readonly seal: number;
  readonly revision: number;
}

interface VersionRow1 {
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
}

/**
 * Format 1 → 2: a name and a version have an origin instead of the path of a folder, a consent is for one content, a
 * version has the lock of its packages, a plugin a user id. A row that was damaged stays so.
 */
export const REGISTRY_FROM_1: Migration = {
  tables: [
    `CREATE TABLE store (
  id TEXT NOT NULL,
  format INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  removed_at INTEGER NOT NULL
) STRICT`,
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
  migrate(database, place) {
    rebuildTables(database, {
      names: ['statistics', 'versions', 'plugins', 'store'],
      tables: place.tables,
      fill: () => fill(database, place),
    });
  },
};

function fill(database: Database, { root, lurkbox }: MigrationPlace): void {
  database.run('INSERT INTO store SELECT id, format, revision, removed_at, ? FROM old_store', lurkbox);
  const versionsOf = Map.groupBy(
    database.all<VersionRow1>('SELECT * FROM old_versions ORDER BY id'),
    (row) => row.plugin_id,
  );
  for (const plugin of database.all<PluginRow1>('SELECT * FROM old_plugins')) {
    const versions = versionsOf.get(plugin.id) ?? [];
    insertPlugin(database, plugin, versions, root);
    for (const version of versions) insertVersion(database, version, root);
  }
  database.exec('INSERT INTO statistics SELECT * FROM old_statistics');
}

function insertPlugin(
  database: Database,
  row: PluginRow1,
  versions: readonly VersionRow1[],
  root: string,
): void {
  const { id, name, active, active_before, consented, canary, revision } = row;
  const isSound = row.seal === rowChecksum([id, name, active, active_before, consented, canary]);
  const speaking = versions.find((version) => version.id === active) ?? versions.at(-1);
  const origin = toOrigin(speaking?.source ?? '/unknown', root);
  const consents = isSound ? toConsents(consented, versions) : '[]';
  const uid = null;
  const checksum = rowChecksum([id, name, origin, active, active_before, consents, canary, uid]);
  database.run(
    'INSERT INTO plugins (id, name, origin, active, active_before, consents, canary, uid, seal, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[
      id,
      name,
      origin,
      active,
      active_before,
      consents,
      canary,
      uid,
      keepSound(checksum, isSound),
      revision,
    ],
  );
}

function insertVersion(database: Database, row: VersionRow1, root: string): void {
  const { id, plugin_id, version, digest, folder, source, manifest, state, reason, installed_at } = row;
  const tail = [manifest, state, reason, installed_at] as const;
  const origin = toOrigin(source, root);
  const lock = null;
  const checksum = rowChecksum([id, plugin_id, version, digest, digest, lock, folder, origin, ...tail]);
  database.run(
    'INSERT INTO versions (id, plugin_id, version, digest, content, lock, folder, origin, manifest, state, reason, installed_at, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[id, plugin_id, version, digest, digest, lock, folder, origin, ...tail],
    keepSound(checksum, isSoundVersion(row)),
  );
}

function isSoundVersion(row: VersionRow1): boolean {
  const { id, plugin_id, version, digest, folder, source, manifest, state, reason, installed_at } = row;
  const values = [id, plugin_id, version, digest, folder, source, manifest, state, reason, installed_at];
  return row.seal === rowChecksum(values);
}

/** The checksum of a damaged row is a wrong one. */
function keepSound(checksum: number, isSound: boolean): number {
  return isSound ? checksum : (checksum ^ 1) >>> 0;
}

/** As both formats make it. */
function rowChecksum(values: readonly (string | number | null)[]): number {
  return crc32(JSON.stringify(values));
}

function toOrigin(source: string, root: string): string {
  const origin: PluginOrigin = { kind: 'folder', path: isAbsolute(source) ? source : '/unknown' };
  const stored = toStoredOrigin(origin, root);
  // The workspace may have been opened through a link.
  return JSON.stringify(stored.path === origin.path ? toStoredOrigin(withoutLinks(origin), root) : stored);
}

/** The folder itself may be gone. */
function withoutLinks(origin: PluginOrigin): PluginOrigin {
  try {
    return { ...origin, path: join(realpathSync(dirname(origin.path)), basename(origin.path)) };
  } catch {
    return origin;
  }
}

const AskingSchema = z.object({ permissions: PluginManifestSchema.shape.permissions });

/** What cannot be read was agreed to by nobody. */
function toConsents(consented: string, rows: readonly VersionRow1[]): string {
  const permissions = AskingSchema.shape.permissions.safeParse(parse(consented));
  if (!permissions.success) return 'null';
  const versions = rows.flatMap((row) => {
    const manifest = AskingSchema.safeParse(parse(row.manifest));
    if (!manifest.success || !isSoundVersion(row)) return [];
    return [
      {
        digest: row.digest as `sha256:${string}`,
        installedAt: row.installed_at,
        manifest: manifest.data,
      },
    ];
  });
  return JSON.stringify(attributeConsent(permissions.data, versions));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
