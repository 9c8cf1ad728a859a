import { z } from 'zod';
import { deepFreeze } from '../deep-freeze.ts';
import { describeError, LurkboxError } from '../errors.ts';
import { check } from '../manifest/problems.ts';
import { type PluginManifest, PluginManifestSchema } from '../manifest/schema.ts';
import { show } from '../printable.ts';
import {
  CanarySchema,
  IdSchema,
  MAX_REASON_CHARS,
  PermissionsSchema,
  StatisticsSchema,
  VERSION_FIELDS,
} from './fields.ts';
import type { InstalledVersion, PluginRecord } from './record.ts';
import { sealOfPlugin, sealOfVersion } from './seal.ts';
import type { PluginRow, VersionRow } from './tables.ts';

/** A plugin as it is stored. */
export interface StoredPlugin {
  readonly plugin: PluginRow;
  /** Newest first. */
  readonly versions: readonly VersionRow[];
}

/** Parsed manifests by version, with the text that each was parsed from: most changes are of something else. */
export type Manifests = Map<number, { readonly text: string; readonly manifest: PluginManifest }>;

/** A plugin as it reads, with what of it could not be read: a sentence for the plugin, or by the id of a version. */
export interface ReadPlugin {
  readonly record: PluginRecord;
  readonly fault: string | null;
  readonly versionFaults: ReadonlyMap<number, string>;
}

/**
 * Rows → a record. What is damaged grants nothing: a version of which something cannot be read is in `ERROR`, and a
 * plugin whose own row cannot be read has no active version and nobody's consent.
 */
export function readPlugin({ plugin, versions }: StoredPlugin, manifests: Manifests): ReadPlugin {
  const versionFaults = new Map<number, string>();
  const read = versions.map((row) => {
    try {
      return readVersion(plugin.name, row, manifests);
    } catch (error) {
      const reason = `It cannot be read from the registry: ${reasonOf(error)}`.slice(0, MAX_REASON_CHARS);
      versionFaults.set(row.id, reason);
      return toDamagedVersion(plugin.name, row, reason);
    }
  });
  const own = readOwn(plugin);
  const find = (id: number | null) => read.find((version) => version.id === id) ?? null;
  const record = deepFreeze<PluginRecord>({
    name: plugin.name,
    active: find(own.active),
    versions: read,
    consented: own.consented,
    canary: own.canary !== null && find(own.canary.versionId) !== null ? own.canary : null,
    activeBefore: own.activeBefore.filter((id) => find(id) !== null),
  });
  return { record, fault: own.fault, versionFaults };
}

function readVersion(name: string, row: VersionRow, manifests: Manifests): InstalledVersion {
  if (row.seal !== sealOfVersion(row)) throw new Error('its row is damaged');
  const { manifest: _, ...fields } = toFields(row);
  return {
    ...parse(VersionFieldsSchema, fields),
    name,
    manifest: readManifest(name, row, manifests),
    statistics: readStatistics(row),
  };
}

const VersionFieldsSchema = z.strictObject(VERSION_FIELDS);

function toFields(row: VersionRow) {
  const { id, version, digest, folder, source, manifest, state, reason, installed_at: installedAt } = row;
  return { id, version, digest, folder, source, manifest, state, reason, installedAt };
}

function readManifest(name: string, row: VersionRow, manifests: Manifests): PluginManifest {
  const known = manifests.get(row.id);
  if (known?.text === row.manifest) return known.manifest;
  const manifest = deepFreeze(parse(PluginManifestSchema, JSON.parse(row.manifest)));
  if (manifest.name !== name || manifest.version !== row.version)
    throw new Error(`its manifest is that of ${show(`${manifest.name}@${manifest.version}`)}`);
  manifests.set(row.id, { text: row.manifest, manifest });
  return manifest;
}

function readStatistics(row: VersionRow): InstalledVersion['statistics'] {
  const read = StatisticsSchema.safeParse({
    calls: row.calls,
    failures: row.failures,
    totalMs: row.total_ms,
    lastCallAt: row.last_call_at,
  });
  return read.data ?? { calls: 0, failures: 0, totalMs: 0, lastCallAt: null };
}

function readOwn(row: PluginRow) {
  try {
    if (row.seal !== sealOfPlugin(row)) throw new Error('its row is damaged');
    return {
      active: row.active,
      activeBefore: parse(z.array(IdSchema), JSON.parse(row.active_before)),
      consented: parse(PermissionsSchema, JSON.parse(row.consented)),
      canary: row.canary === null ? null : parse(CanarySchema, JSON.parse(row.canary)),
      fault: null,
    };
  } catch (error) {
    const nothing = PermissionsSchema.parse({});
    return { active: null, activeBefore: [], consented: nothing, canary: null, fault: reasonOf(error) };
  }
}

const UNKNOWN = {
  version: '0.0.0',
  digest: `sha256:${'0'.repeat(64)}`,
  folder: 'unknown',
  source: '/unknown',
  installedAt: '1970-01-01T00:00:00.000Z',
} as const;

function toDamagedVersion(name: string, row: VersionRow, reason: string): InstalledVersion {
  const fields = toFields(row);
  const keep = <Key extends keyof typeof UNKNOWN>(key: Key) =>
    (VERSION_FIELDS[key].safeParse(fields[key]).data ?? UNKNOWN[key]) as InstalledVersion[Key];
  const version = keep('version');
  return {
    id: row.id,
    name,
    version,
    digest: keep('digest'),
    folder: keep('folder'),
    source: keep('source'),
    manifest: toHarmlessManifest(name, version),
    state: 'ERROR',
    reason,
    installedAt: keep('installedAt'),
    statistics: readStatistics(row),
  };
}

/** In place of one that cannot be read: it asks for nothing, and is not enabled. */
function toHarmlessManifest(name: string, version: string): PluginManifest {
  return PluginManifestSchema.parse({
    name,
    version,
    author: { name: 'unknown' },
    description: 'The manifest of this version cannot be read.',
    plugin_type: 'tool',
    entry_point: 'unknown.js',
    enabled: false,
  });
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const checked = check(schema, value);
  if (checked.ok) return checked.value;
  throw new LurkboxError('REGISTRY_INVALID', 'it breaks these rules:', { problems: checked.problems });
}

function reasonOf(error: unknown): string {
  if (error instanceof LurkboxError) return describeError(error);
  return error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
}
