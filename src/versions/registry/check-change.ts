import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { check } from '../../documents/problems.ts';
import { LurkboxError } from '../../errors.ts';
import { isIdentityOf } from '../../manifest/digest.ts';
import { PluginManifestSchema, PluginNameSchema } from '../../manifest/schema.ts';
import { quoteValue } from '../../printable.ts';
import { OriginSchema, VERSION_FIELDS } from './fields.ts';
import type { InstalledVersion, PluginOrigin } from './record.ts';
import { mayTake, TRANSITIONS, type Transition } from './state.ts';
import type { OwnRecord } from './write-record.ts';

/** In memory a path is absolute. */
export const AbsoluteOriginSchema = OriginSchema.refine(
  ({ path }) => isAbsolute(path),
  'expected an absolute path',
);

export const NewVersionSchema = z
  .strictObject({
    name: PluginNameSchema,
    version: VERSION_FIELDS.version,
    digest: VERSION_FIELDS.digest,
    content: VERSION_FIELDS.content,
    lock: VERSION_FIELDS.lock,
    folder: VERSION_FIELDS.folder,
    origin: AbsoluteOriginSchema,
    manifest: PluginManifestSchema,
  })
  .refine(
    ({ name, version, manifest }) => name === manifest.name && version === manifest.version,
    'expected name and version of its manifest',
  )
  .refine(
    ({ digest, manifest: { dependencies }, ...parts }) => isIdentityOf(digest, { ...parts, dependencies }),
    'expected the digest of its files and of the lock of its npm packages',
  );

export const NEW_VERSION = {
  state: 'LOADED',
  reason: null,
  statistics: { calls: 0, failures: 0, totalMs: 0, lastCallAt: null },
} as const;

export function toNewPlugin(name: string, origin: PluginOrigin): OwnRecord {
  return { name, origin, active: null, consents: [], uid: null, canary: null, activeBefore: [] };
}

export function parseArgument<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const checked = check(schema, value);
  if (checked.ok) return checked.value;
  const message = `This ${what} cannot be stored; nothing was.`;
  throw new LurkboxError('REGISTRY_INVALID', message, { problems: checked.problems });
}

export function assertHas(name: string, versions: readonly InstalledVersion[], id: number): void {
  if (versions.some((version) => version.id === id)) return;
  throw new LurkboxError(
    'PLUGIN_NOT_FOUND',
    `The plugin ${quoteValue(name)} has no version with the id ${id}.`,
  );
}

export function assertMayTake(step: Transition, version: InstalledVersion): void {
  if (mayTake(step, version.state)) return;
  const { from, to } = TRANSITIONS[step];
  throw new LurkboxError(
    'STATE_INVALID',
    `${describe(version)} is ${version.state} and cannot become ${to}; it could from ${from.join(', ')}.`,
  );
}

export function describe({ name, version }: InstalledVersion): string {
  return `\`${name}@${version}\``;
}
