import type { InstalledVersion, PluginRecord, Statistics } from './record.ts';
import { sealOfPlugin, sealOfVersion } from './seal.ts';
import type { Database } from './sqlite.ts';

/** What of a plugin stands in its own row. */
export type OwnRecord = Omit<PluginRecord, 'active' | 'versions'> & { readonly active: number | null };

export function toOwnRecord(record: PluginRecord): OwnRecord {
  const { name, active, consented, canary, activeBefore } = record;
  return { name, active: active?.id ?? null, consented, canary, activeBefore };
}

export function insertPlugin(database: Database, record: OwnRecord): number {
  // The seal is over the id too, which is known only now.
  const id = database.run(
    "INSERT INTO plugins (name, active_before, consented, seal, revision) VALUES (?, '', '', 0, 0)",
    record.name,
  );
  updatePlugin(database, id, record);
  return id;
}

export function updatePlugin(database: Database, id: number, record: OwnRecord): void {
  const row = {
    id,
    name: record.name,
    active: record.active,
    active_before: JSON.stringify(record.activeBefore),
    consented: JSON.stringify(record.consented),
    canary: record.canary === null ? null : JSON.stringify(record.canary),
  };
  database.run(
    'UPDATE plugins SET active = ?, active_before = ?, consented = ?, canary = ?, seal = ? WHERE id = ?',
    row.active,
    row.active_before,
    row.consented,
    row.canary,
    sealOfPlugin(row),
    id,
  );
}

type Content = Omit<InstalledVersion, 'id' | 'name' | 'statistics'>;

export function insertVersion(
  database: Database,
  pluginId: number,
  version: Content & { readonly statistics: Statistics },
): number {
  const id = database.run(
    "INSERT INTO versions (plugin_id, version, digest, folder, source, manifest, state, installed_at, seal) VALUES (?, ?, ?, '', '', '', '', '', 0)",
    pluginId,
    version.version,
    version.digest,
  );
  const { calls, failures, totalMs, lastCallAt } = version.statistics;
  database.run('INSERT INTO statistics VALUES (?, ?, ?, ?, ?)', id, calls, failures, totalMs, lastCallAt);
  updateVersion(database, pluginId, { ...version, id });
  return id;
}

export function updateVersion(
  database: Database,
  pluginId: number,
  version: Content & { readonly id: number },
): void {
  const row = {
    id: version.id,
    plugin_id: pluginId,
    version: version.version,
    digest: version.digest,
    folder: version.folder,
    source: version.source,
    manifest: JSON.stringify(version.manifest),
    state: version.state,
    reason: version.reason,
    installed_at: version.installedAt,
  };
  database.run(
    'UPDATE versions SET folder = ?, source = ?, manifest = ?, state = ?, reason = ?, installed_at = ?, seal = ? WHERE id = ?',
    row.folder,
    row.source,
    row.manifest,
    row.state,
    row.reason,
    row.installed_at,
    sealOfVersion(row),
    row.id,
  );
}
