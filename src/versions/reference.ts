import semver from 'semver';
import { LurkboxError } from '../errors.ts';
import { exactVersion, splitDependency, versionRange } from '../manifest/fields.ts';
import { quoteValue } from '../printable.ts';

/** A plugin as a caller names it: `weather`, `weather@1.2.0`, `weather@^1`, or one content, `weather@1.2.0#sha256:…`. */
export interface PluginReference {
  readonly name: string;
  /** `null`: whatever version is active. */
  readonly range: string | null;
  /** `sha256:…`, of the one content that is meant. */
  readonly digest?: string;
}

const CONTENT = /#(?<digest>sha256:[0-9a-f]{64})$/;

/** @throws LurkboxError `OPTIONS_INVALID` when what stands after the `@` is no semver range, or what stands after a `#` no digest */
export function parseReference(written: string): PluginReference {
  if (!written.includes('@')) return { name: written, range: null };
  const digest = CONTENT.exec(written)?.groups?.['digest'];
  const { name, range } = splitDependency(written.replace(CONTENT, ''));
  if (versionRange().safeParse(range).success)
    return { name, range, ...(digest !== undefined && { digest }) };
  if (written.includes('#'))
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `Expected a version and the whole digest of its content, such as "weather@1.2.0#sha256:" and 64 digits, got ${quoteValue(written)}.`,
    );
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a semver range such as "^1.2.0" after the @ of a plugin, got ${quoteValue(written)}.`,
  );
}

/** @throws LurkboxError `OPTIONS_INVALID` for a name with a version */
export function assertPlainName(name: string): void {
  if (!name.includes('@')) return;
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected the name of a plugin without a version, got ${quoteValue(name)}.`,
  );
}

interface Versioned {
  readonly version: string;
  readonly digest?: string;
}

/** The highest version in the range; of the same version with other content, the first in the list. */
export function pickVersion<V extends Versioned>(
  versions: readonly V[],
  range: string,
  digest?: string,
): V | null {
  const fitting = versions.filter(
    (one) => isInRange(one.version, range) && (digest === undefined || one.digest === digest),
  );
  return fitting.reduce<V | null>(
    (best, candidate) => (best === null || semver.gt(candidate.version, best.version) ? candidate : best),
    null,
  );
}

/**
 * A prerelease only where the range names one, as npm has it. An exact version names itself alone: semver compares without what
 * stands after a `+`, so that `1.0.0+a` and `1.0.0+b` would stand for each other.
 */
export function isInRange(version: string, range: string): boolean {
  return range.split('||').some((part) => {
    const exact = exactOf(part);
    return exact === null ? semver.satisfies(version, part) : version === exact;
  });
}

/** The version that a range is, where it is one, with its build. */
export function exactOf(range: string): string | null {
  const written = range.trim().replace(/^[=v\s]+/, '');
  return exactVersion().safeParse(written).success ? written : null;
}

/** A digest as a person writes it, with or without the `sha256:`. */
export function toDigest(written: string): string {
  return `sha256:${written.toLowerCase().replace(/^sha256:/, '')}`;
}
