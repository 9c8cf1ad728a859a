import semver from 'semver';
import { LurkboxError } from '../errors.ts';
import { splitDependency, versionRange } from '../manifest/fields.ts';
import { show } from '../printable.ts';

/** A plugin as a caller names it: `weather`, `weather@1.2.0` or `weather@^1`. */
export interface PluginReference {
  readonly name: string;
  /** `null`: whatever version is active. */
  readonly range: string | null;
}

/** @throws LurkboxError `OPTIONS_INVALID` when what stands after the `@` is no semver range */
export function parseReference(written: string): PluginReference {
  if (!written.includes('@')) return { name: written, range: null };
  const { name, range } = splitDependency(written);
  if (versionRange().safeParse(range).success) return { name, range };
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a semver range such as "^1.2.0" after the @ of a plugin, got ${show(written)}.`,
  );
}

interface Versioned {
  readonly version: string;
}

/** The highest version in the range; of the same version with other content, the first in the list. */
export function pickVersion<V extends Versioned>(versions: readonly V[], range: string): V | null {
  const fitting = versions.filter(({ version }) => isInRange(version, range));
  return fitting.reduce<V | null>(
    (best, candidate) => (best === null || semver.gt(candidate.version, best.version) ? candidate : best),
    null,
  );
}

/** A prerelease only where the range names one, as npm has it; an exact version names itself. */
export function isInRange(version: string, range: string): boolean {
  return version === range || semver.satisfies(version, range);
}
