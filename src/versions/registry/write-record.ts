import type { Database } from '../../storage/database.ts';
import { toStoredOrigin } from './origin.ts';
import type { InstalledVersion, PluginRecord, Statistics } from './record.ts';
import { checksumOfPlugin, checksumOfVersion } from './row-checksum.ts';

/** What of a plugin stands in its own row. */
export type OwnRecord = Omit<PluginRecord, 'active' | 'versions' | 'consented'> & {
  readonly active: number | null;
};

export function toOwnRecord(record: PluginRecord): OwnRecord {
  const { name, origin, active, consents, uid, canary, activeBefore } = record;
  return { name, origin, active: active?.id ?? null, consents, uid, canary, activeBefore };
}

export function insertPlugin(database: Database, record: OwnRecord, root: string): number {
  // The checksum is over the id too, which is known only now.
  const id = database.run(
    "INSERT INTO plugins (name, origin, active_before, consents, seal, revision) VALUES (?, '', '', '', 0, 0)",
    record.name,
  );
  updatePlugin(database, id, record, root);
  return id;
}

export function updatePlugin(database: Database, id: number, record: OwnRecord, root: string): void {
  const row = {
    id,
    name: record.name,
    origin: JSON.stringify(toStoredOrigin(record.origin, root)),
    active: record.active,
    active_before: JSON.stringify(record.activeBefore),
    consents: JSON.stringify(record.consents),
    canary: record.canary === null ? null : JSON.stringify(record.canary),
    uid: record.uid,
  };
  database.run(
    'UPDATE plugins SET origin = ?, active = ?, active_before = ?, consents = ?, canary = ?, uid = ?, seal = ? WHERE id = ?',
    row.origin,
    row.active,
    row.active_before,
    row.consents,
    row.canary,
    row.uid,
    checksumOfPlugin(row),
    id,
  );
}

type Content = Omit<InstalledVersion, 'id' | 'name' | 'statistics'>;

export function insertVersion(
  database: Database,
  pluginId: number,
  version: Content & { readonly statistics: Statistics },
  root: string,
): number {
  const id = database.run(
    "INSERT INTO versions (plugin_id, version, digest, content, folder, origin, manifest, state, installed_at, seal) VALUES (?, ?, ?, '', '', '', '', '', '', 0)",
    pluginId,
    version.version,
    version.digest,
  );
  const { calls, failures, totalMs, lastCallAt } = version.statistics;
  database.run('INSERT INTO statistics VALUES (?, ?, ?, ?, ?)', id, calls, failures, totalMs, lastCallAt);
  updateVersion(database, pluginId, { ...version, id }, root);
  return id;
}

export function updateVersion(
  database: Database,
  pluginId: number,
  version: Content & { readonly id: number },
  root: string,
): void {
  const row = {
    id: version.id,
    plugin_id: pluginId,
    version: version.version,
    digest: version.digest,
    content: version.content,
    lock: version.lock,
    folder: version.folder,
    origin: JSON.stringify(toStoredOrigin(version.origin, root)),
    manifest: JSON.stringify(version.manifest),
    state: version.state,
    reason: version.reason,
    installed_at: version.installedAt,
  };
  database.run(
    'UPDATE versions SET digest = ?, content = ?, lock = ?, folder = ?, origin = ?, manifest = ?, state = ?, reason = ?, installed_at = ?, seal = ? WHERE id = ?',
    row.digest,
    row.content,
    row.lock,
    row.folder,
    row.origin,
    row.manifest,
    row.state,
    row.reason,
    row.installed_at,
    checksumOfVersion(row),
    row.id,
  );
}
