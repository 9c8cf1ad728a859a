import * as z from 'zod';
import { check } from '../../documents/problems.ts';
import { LurkboxError } from '../../errors.ts';
import { isIdentityOf } from '../../manifest/digest.ts';
import { PluginManifestSchema, PluginNameSchema } from '../../manifest/schema.ts';
import type { Database } from '../../storage/database.ts';
import { isOfVersion1, upgradeExport } from './export-1.ts';
import {
  CanarySchema,
  ConsentSchema,
  IdSchema,
  MAX_CONSENTS,
  OriginSchema,
  StatisticsSchema,
  VERSION_FIELDS,
} from './fields.ts';
import { fromStoredOrigin, toStoredOrigin } from './origin.ts';
import type { PluginRecord } from './record.ts';
import { insertPlugin, insertVersion, type OwnRecord, updatePlugin } from './write-record.ts';

const MAX_PLUGINS = 100_000;
const MAX_VERSIONS = 1000;

/** Ids hold inside of one export; who imports it gives new ones. */
const VersionSchema = z
  .strictObject({ ...VERSION_FIELDS, manifest: PluginManifestSchema, statistics: StatisticsSchema })
  .refine(({ version, manifest }) => version === manifest.version, 'expected the version of its manifest')
  .refine(
    ({ digest, manifest: { dependencies }, ...parts }) => isIdentityOf(digest, { ...parts, dependencies }),
    'expected the digest of its files and of the lock of its npm packages',
  )
  .refine(
    ({ state, reason }) => (state === 'ERROR') === (reason !== null),
    'expected a reason in ERROR, and only there',
  );

const PluginSchema = z
  .strictObject({
    name: PluginNameSchema,
    origin: OriginSchema,
    consents: z.array(ConsentSchema).max(MAX_CONSENTS),
    active: IdSchema.nullable(),
    activeBefore: z.array(IdSchema),
    canary: CanarySchema.nullable(),
    versions: z.array(VersionSchema).min(1, 'expected at least one version').max(MAX_VERSIONS),
  })
  .superRefine(({ name, active, activeBefore, canary, versions }, context) => {
    const expect = (holds: boolean, path: PropertyKey[], message: string) => {
      if (!holds) context.addIssue({ code: 'custom', path, message });
    };
    const ids = new Set(versions.map(({ id }) => id));
    const isKnown = (id: number | null | undefined) => id === null || id === undefined || ids.has(id);
    expect(isKnown(active), ['active'], 'expected the id of one of its versions');
    expect(activeBefore.every(isKnown), ['activeBefore'], 'expected ids of its versions');
    expect(isKnown(canary?.versionId), ['canary', 'versionId'], 'expected the id of one of its versions');
    expect(ids.size === versions.length, ['versions'], 'expected no id twice');
    const contents = new Set(versions.map(({ version, digest }) => `${version} ${digest}`));
    expect(contents.size === versions.length, ['versions'], 'expected no version and digest twice');
    for (const [index, { manifest }] of versions.entries())
      expect(
        manifest.name === name,
        ['versions', index, 'manifest', 'name'],
        'expected the name of the plugin',
      );
  });

const ExportSchema = z.strictObject({
  format: z.literal('lurkbox-registry', 'expected "lurkbox-registry"'),
  version: z.literal(2, 'expected 1 or 2, which are the versions that this lurkbox knows'),
  plugins: z
    .array(PluginSchema, 'expected a list of plugins')
    .max(MAX_PLUGINS)
    .refine(
      (plugins) => new Set(plugins.map(({ name }) => name)).size === plugins.length,
      'expected no plugin twice',
    ),
});
/** All plugins, without events, recorded calls and user ids, as plain JSON. */
export type RegistryExport = z.infer<typeof ExportSchema>;
export type ExportedPlugin = RegistryExport['plugins'][number];

/** @throws LurkboxError `REGISTRY_INVALID` with every problem */
export function parseExport(value: unknown): RegistryExport {
  const upgraded = isOfVersion1(value) ? upgradeExport(value) : { ok: true as const, value };
  const checked = upgraded.ok ? check(ExportSchema, upgraded.value) : upgraded;
  if (checked.ok) return checked.value;
  const message = 'This is no export of a registry that can be imported; nothing was.';
  throw new LurkboxError('REGISTRY_INVALID', message, { problems: checked.problems });
}

/** `isDamaged`: those versions are left out, because what they are is not known. */
export function toExport(
  records: readonly PluginRecord[],
  root: string,
  isDamaged: (version: PluginRecord['versions'][number]) => boolean,
): RegistryExport {
  const plugins = records
    .map(({ active, versions, consented: _consented, uid: _uid, ...record }) => {
      const sound = versions
        .filter((version) => !isDamaged(version))
        .map(({ name: _, ...version }) => ({ ...version, origin: toStoredOrigin(version.origin, root) }));
      const ids = new Set(sound.map(({ id }) => id));
      return {
        ...record,
        origin: toStoredOrigin(record.origin, root),
        consents: [...record.consents],
        active: active !== null && ids.has(active.id) ? active.id : null,
        activeBefore: record.activeBefore.filter((id) => ids.has(id)),
        canary: record.canary !== null && ids.has(record.canary.versionId) ? record.canary : null,
        versions: sound,
      };
    })
    .filter(({ versions }) => versions.length > 0);
  return structuredClone({ format: 'lurkbox-registry', version: 2, plugins });
}

/** A user id is of the host that it was given on. */
export function importPlugin(
  database: Database,
  { versions, ...plugin }: ExportedPlugin,
  root: string,
): void {
  const origin = fromStoredOrigin(plugin.origin, root);
  const own: OwnRecord = { ...plugin, origin, uid: null, active: null, activeBefore: [], canary: null };
  const pluginId = insertPlugin(database, own, root);
  // Oldest first: an id grows with each installation.
  const newIds = new Map(
    versions.toReversed().map((version) => {
      const origin = fromStoredOrigin(version.origin, root);
      return [version.id, insertVersion(database, pluginId, { ...version, origin }, root)];
    }),
  );
  const { active, activeBefore, canary } = plugin;
  const roles = {
    active: active === null ? null : newIds.get(active)!,
    activeBefore: activeBefore.map((id) => newIds.get(id)!),
    canary: canary === null ? null : { ...canary, versionId: newIds.get(canary.versionId)! },
  };
  updatePlugin(database, pluginId, { ...own, ...roles }, root);
}
