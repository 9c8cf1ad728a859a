import * as z from 'zod';
import { deepFreeze } from '../../deep-freeze.ts';
import { check } from '../../documents/problems.ts';
import { describeError, LurkboxError } from '../../errors.ts';
import { isIdentityOf } from '../../manifest/digest.ts';
import { type PluginManifest, PluginManifestSchema } from '../../manifest/schema.ts';
import { quoteValue } from '../../printable.ts';
import { unionOf } from './consents.ts';
import {
  CanarySchema,
  ConsentSchema,
  IdSchema,
  MAX_CONSENTS,
  MAX_REASON_CHARS,
  OriginSchema,
  StatisticsSchema,
  UidSchema,
  VERSION_FIELDS,
} from './fields.ts';
import { fromStoredOrigin } from './origin.ts';
import type { InstalledVersion, PluginOrigin, PluginRecord } from './record.ts';
import { checksumOfPlugin, checksumOfVersion } from './row-checksum.ts';
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
export function readPlugin(
  { plugin, versions }: StoredPlugin,
  manifests: Manifests,
  root: string,
): ReadPlugin {
  const versionFaults = new Map<number, string>();
  const read = versions.map((row) => {
    try {
      return readVersion(plugin.name, row, manifests, root);
    } catch (error) {
      const reason = `It cannot be read from the registry: ${reasonOf(error)}`.slice(0, MAX_REASON_CHARS);
      versionFaults.set(row.id, reason);
      return toDamagedVersion(plugin.name, row, reason, root);
    }
  });
  const own = readOwn(plugin, root);
  const find = (id: number | null) => read.find((version) => version.id === id) ?? null;
  const record = deepFreeze<PluginRecord>({
    name: plugin.name,
    origin: own.origin,
    active: find(own.active),
    versions: read,
    consents: own.consents,
    consented: unionOf(own.consents),
    uid: own.uid,
    canary: own.canary !== null && find(own.canary.versionId) !== null ? own.canary : null,
    activeBefore: own.activeBefore.filter((id) => find(id) !== null),
  });
  return { record, fault: own.fault, versionFaults };
}

function readVersion(name: string, row: VersionRow, manifests: Manifests, root: string): InstalledVersion {
  if (row.seal !== checksumOfVersion(row)) throw new Error('its row is damaged');
  const fields = parse(VersionFieldsSchema, { ...toFields(row), origin: JSON.parse(row.origin) });
  const manifest = readManifest(name, row, manifests);
  if (!isIdentityOf(fields.digest, { ...fields, dependencies: manifest.dependencies }))
    throw new Error('its digest is not that of its files and of the lock of its npm packages');
  return {
    ...fields,
    origin: fromStoredOrigin(fields.origin, root),
    name,
    manifest,
    statistics: readStatistics(row),
  };
}

const VersionFieldsSchema = z.strictObject(VERSION_FIELDS);

function toFields(row: VersionRow) {
  const { id, version, digest, content, lock, folder, state, reason, installed_at: installedAt } = row;
  return { id, version, digest, content, lock, folder, state, reason, installedAt };
}

function readManifest(name: string, row: VersionRow, manifests: Manifests): PluginManifest {
  const known = manifests.get(row.id);
  if (known?.text === row.manifest) return known.manifest;
  const manifest = deepFreeze(parse(PluginManifestSchema, JSON.parse(row.manifest)));
  if (manifest.name !== name || manifest.version !== row.version)
    throw new Error(`its manifest is that of ${quoteValue(`${manifest.name}@${manifest.version}`)}`);
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

function readOwn(row: PluginRow, root: string) {
  try {
    if (row.seal !== checksumOfPlugin(row)) throw new Error('its row is damaged');
    return {
      origin: fromStoredOrigin(parse(OriginSchema, JSON.parse(row.origin)), root),
      active: row.active,
      activeBefore: parse(z.array(IdSchema), JSON.parse(row.active_before)),
      consents: parse(z.array(ConsentSchema).max(MAX_CONSENTS), JSON.parse(row.consents)),
      uid: parse(UidSchema, row.uid),
      canary: row.canary === null ? null : parse(CanarySchema, JSON.parse(row.canary)),
      fault: null,
    };
  } catch (error) {
    const nothing = { origin: UNKNOWN_ORIGIN, active: null, activeBefore: [], consents: [], uid: null };
    return { ...nothing, canary: null, fault: reasonOf(error) };
  }
}

/** A place that no plugin comes from. */
const UNKNOWN_ORIGIN: PluginOrigin = { kind: 'folder', path: '/unknown' };

const UNKNOWN = {
  version: '0.0.0',
  digest: `sha256:${'0'.repeat(64)}`,
  content: `sha256:${'0'.repeat(64)}`,
  lock: null,
  folder: 'unknown',
  installedAt: '1970-01-01T00:00:00.000Z',
} as const;

function toDamagedVersion(name: string, row: VersionRow, reason: string, root: string): InstalledVersion {
  const fields = toFields(row);
  const keep = <Key extends keyof typeof UNKNOWN>(key: Key) =>
    (VERSION_FIELDS[key].safeParse(fields[key]).data ?? UNKNOWN[key]) as InstalledVersion[Key];
  const version = keep('version');
  return {
    id: row.id,
    name,
    version,
    digest: keep('digest'),
    content: keep('content'),
    lock: keep('lock'),
    folder: keep('folder'),
    origin: readOriginOrNone(row, root),
    manifest: toEmptyManifest(name, version),
    state: 'ERROR',
    reason,
    installedAt: keep('installedAt'),
    statistics: readStatistics(row),
  };
}

function readOriginOrNone({ origin }: VersionRow, root: string): PluginOrigin {
  try {
    return fromStoredOrigin(OriginSchema.parse(JSON.parse(origin)), root);
  } catch {
    return UNKNOWN_ORIGIN;
  }
}

/** In place of one that cannot be read: it asks for nothing, and is not enabled. */
function toEmptyManifest(name: string, version: string): PluginManifest {
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
