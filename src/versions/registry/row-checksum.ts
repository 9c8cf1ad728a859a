import { crc32 } from 'node:zlib';
import type { PluginRow, VersionRow } from './tables.ts';

/**
 * SQLite does not see when a disk changes a letter inside of a text, and a letter can be another permission. Each row
 * carries a checksum of what it must not lose; it shows accidents, and is no signature.
 */
function rowChecksum(values: readonly (string | number | null)[]): number {
  return crc32(JSON.stringify(values));
}

export function checksumOfPlugin(row: Omit<PluginRow, 'seal'>): number {
  return rowChecksum([
    row.id,
    row.name,
    row.origin,
    row.active,
    row.active_before,
    row.consents,
    row.canary,
    row.uid,
  ]);
}

type VersionContent = Omit<VersionRow, 'seal' | 'calls' | 'failures' | 'total_ms' | 'last_call_at'>;

export function checksumOfVersion(row: VersionContent): number {
  return rowChecksum([
    row.id,
    row.plugin_id,
    row.version,
    row.digest,
    row.content,
    row.lock,
    row.folder,
    row.origin,
    row.manifest,
    row.state,
    row.reason,
    row.installed_at,
  ]);
}
