import { type Ending, type FailedOutcome, failed } from '../calls/ending.ts';
import { LurkboxError } from '../errors.ts';
import { isAgreed } from './agreed.ts';
import { exactOf, isInRange, type PluginReference, parseReference, pickVersion } from './reference.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';

/** Which version serves; or why none does, and which one would have. */
export type Choice =
  | { readonly version: InstalledVersion; readonly isCanary: boolean }
  | { readonly refusal: Ending; readonly version?: InstalledVersion | null };

/** Versions that must not serve ranges yet, and what follows the registry's changes of other processes. */
interface Following {
  follow(name: string, record: PluginRecord | null): void;
  isHeldBack(id: number): boolean;
}

/** Says which version serves a reference such as `weather` or `weather@^1`. */
export class Resolver {
  readonly #registry: PluginRegistry;
  readonly #sandboxes: Following;
  #isClosed = false;

  constructor(registry: PluginRegistry, sandboxes: Following) {
    this.#registry = registry;
    this.#sandboxes = sandboxes;
  }

  /** No version serves from the call on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Which version serves a call; `drawsCanary` says whether a canary with that share does. Without it none does. */
  choose(reference: PluginReference, drawsCanary: (share: number) => boolean = () => false): Choice {
    if (this.#isClosed) return { refusal: failed('CANCELLED', 'This lurkbox is closed') };
    const { name } = reference;
    const record = this.#registry.get(name);
    this.#sandboxes.follow(name, record);
    if (record === null)
      return { refusal: failed('PLUGIN_NOT_FOUND', this.#describeUnknown(reference, null)) };
    const isHeldBack = (id: number): boolean => this.#sandboxes.isHeldBack(id);
    return chooseVersion(record, reference, { drawsCanary, isHeldBack });
  }

  /**
   * The version that serves a call now, canaries left aside; `null` where it would be refused.
   * @throws LurkboxError `PLUGIN_NOT_FOUND` where nothing of that name or in that range is installed
   */
  serving(reference: PluginReference): InstalledVersion | null {
    if (this.#isClosed) return null;
    this.find(reference);
    const choice = this.choose(reference);
    return 'refusal' in choice ? null : choice.version;
  }

  /** The active version, or the one that serves a call of the range; `null` where there is none. */
  known(reference: PluginReference): InstalledVersion | null {
    const { name, range, digest } = reference;
    const record = this.#registry.get(name);
    if (record === null) return null;
    if (range === null) return record.active;
    return pickVersion(record.versions, range, digest) === null ? null : this.serving(reference);
  }

  /**
   * The version that is meant, whether or not it may be called: the highest in the range; without one the active version, or
   * else the newest.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`
   */
  find(reference: PluginReference): InstalledVersion {
    const { name, range, digest } = reference;
    const record = this.#registry.get(name);
    const version =
      record === null
        ? null
        : range === null
          ? (record.active ?? record.versions[0])
          : pickVersion(record.versions, range, digest);
    if (version) return version;
    throw new LurkboxError('PLUGIN_NOT_FOUND', this.#describeUnknown(reference, record));
  }

  /** The newest installation of a plugin, or the version in the range. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  newest(reference: PluginReference): InstalledVersion {
    const newest = reference.range === null ? this.#registry.get(reference.name)?.versions[0] : undefined;
    return newest ?? this.find(reference);
  }

  /** The active version of a plugin, or else the newest; or the one in the range. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  activeOrNewest(reference: PluginReference): InstalledVersion {
    const active = reference.range === null ? this.#registry.get(reference.name)?.active : null;
    return active ?? this.newest(reference);
  }

  /** Plugins whose active version may be called without naming a version. */
  enabledNames(): readonly string[] {
    return this.#registry.list().flatMap(({ name, active }) => (active?.state === 'ENABLED' ? [name] : []));
  }

  #describeUnknown({ name, range }: PluginReference, record: PluginRecord | null): string {
    if (record !== null)
      return `No version of \`${name}\` that can be called fits ${range}; installed are: ${describeVersions(record)}`;
    const known = this.#registry.list().map((plugin) => plugin.name);
    return `No plugin \`${name.slice(0, 64)}\` is loaded; loaded are: ${known.slice(0, 20).join(', ') || '(none)'}${known.length > 20 ? `, and ${known.length - 20} more` : ''}`;
  }
}

/**
 * Which version a call is served by, or why by none. Without a range the active one, or the canary where `drawsCanary`
 * says so; with one the highest that may be called. `isHeldBack`: not yet known to be loadable, and so named by its number only.
 */
function chooseVersion(
  record: PluginRecord,
  { range, digest }: Pick<PluginReference, 'range' | 'digest'>,
  {
    drawsCanary = () => false,
    isHeldBack = () => false,
  }: { drawsCanary?: (share: number) => boolean; isHeldBack?: (id: number) => boolean } = {},
): Choice {
  const { name, active, canary, versions } = record;
  if (active?.state === 'DISABLED')
    return refusal(
      'PLUGIN_DISABLED',
      `\`${name}\` is disabled; \`lurkbox enable ${name}\` lets it be called.`,
      active,
    );
  if (range !== null) return chooseInRange(record, range, digest, isHeldBack);
  const unagreed = active ?? versions[0];
  if (unagreed !== undefined && unagreed.state !== 'ERROR' && !isAgreed(record, unagreed))
    return notAgreed(unagreed);
  if (active === null || !isCallable(record, active))
    return refusal(
      'PLUGIN_DISABLED',
      `No version of \`${name}\` serves; installed are: ${describeVersions(record)}.`,
      active,
    );
  const tried = versions.find(({ id }) => id === canary?.versionId);
  if (canary !== null && tried !== undefined && isCallable(record, tried) && drawsCanary(canary.share))
    return { version: tried, isCanary: true };
  return { version: active, isCanary: false };
}

function chooseInRange(
  record: PluginRecord,
  range: string,
  digest: string | undefined,
  isHeldBack: (id: number) => boolean,
): Choice {
  const { name, active, versions } = record;
  // The active one of several with the same number goes before the others.
  const fitting = [...(active === null ? [] : [active]), ...versions].filter(
    (one) => isInRange(one.version, range) && (digest === undefined || one.digest === digest),
  );
  const proven = fitting.filter(({ id, version }) => version === range || !isHeldBack(id));
  const version = pickVersion(
    proven.filter((one) => isCallable(record, one)),
    range,
  );
  if (version !== null) return { version, isCanary: false };
  const unagreed = fitting.find((one) => one.state !== 'ERROR');
  if (unagreed !== undefined && !isAgreed(record, unagreed)) return notAgreed(unagreed);
  return refusal(
    'PLUGIN_NOT_FOUND',
    `No version of \`${name}\` that can be called fits ${range}; installed are: ${describeVersions(record)}.`,
  );
}

function notAgreed(version: InstalledVersion): Choice {
  const full = `${version.name}@${version.version}`;
  return refusal(
    'PERMISSION_DENIED',
    `\`${full}\` asks for more than somebody agreed to; \`lurkbox consent ${full}\` shows it.`,
    version,
  );
}

/** Whether a version may serve: it is in order, and what it asks for was agreed to. */
export function isCallable(record: PluginRecord, version: InstalledVersion): boolean {
  return version.state !== 'ERROR' && isAgreed(record, version);
}

/** Versions that were active before and may serve, latest first: a rollback goes to the first of them. */
export function callableBefores(record: PluginRecord): readonly InstalledVersion[] {
  const { active, activeBefore, versions } = record;
  return activeBefore
    .flatMap((id) => versions.find((version) => version.id === id) ?? [])
    .filter((version) => version.id !== active?.id && isCallable(record, version));
}

/** @throws LurkboxError `STATE_INVALID` */
export function assertInOrder({ name, version, state, reason }: InstalledVersion): void {
  if (state !== 'ERROR') return;
  throw new LurkboxError(
    'STATE_INVALID',
    `\`${name}@${version}\` is in state ERROR: ${reason}. Mend it and load it again.`,
  );
}

/**
 * An exact version may be there with more than one content; which is meant is for the caller to say.
 * @throws LurkboxError `OPTIONS_INVALID` with all of them
 */
export function assertOneContent(written: string, versions: readonly InstalledVersion[]): void {
  const { name, range, digest } = parseReference(written);
  const exact = range === null ? null : exactOf(range);
  const same = versions.filter(({ version }) => version === exact);
  if (digest !== undefined || same.length < 2) return;
  const contents = same.map((one) => `\`${name}@${one.version}#${one.digest}\` (${one.state})`);
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected one content of \`${name}@${exact}\`, and these are installed: ${contents.join(', ')}.`,
  );
}

export function describeVersions({ versions }: PluginRecord): string {
  return (
    versions
      .map(({ version, state, reason }) => (state === 'ERROR' ? `${version} (ERROR: ${reason})` : version))
      .join(', ') || '(none)'
  );
}

/** The message says it all: the general sentence of the outcome would be of another case. */
function refusal(outcome: FailedOutcome, message: string, version: InstalledVersion | null = null): Choice {
  return {
    refusal: { outcome, error: { code: outcome, message, stack: null, details: null, hint: null } },
    version,
  };
}
