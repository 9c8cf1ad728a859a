import type { Ending, FailedOutcome } from '../calls/ending.ts';
import { permissionsBeyond } from '../policy/permission-changes.ts';
import { isInRange, type PluginReference, pickVersion } from './reference.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';

/** Which version serves; or why none does, and which one would have. */
export type Choice =
  | { readonly version: InstalledVersion; readonly isCanary: boolean }
  | { readonly refusal: Ending; readonly version?: InstalledVersion | null };

/**
 * Which version a call is served by, or why by none. Without a range the active one, or the canary where `drawsCanary`
 * says so; with one the highest that may be called. `isHeldBack`: not yet known to be loadable, and so named by its number only.
 */
export function chooseVersion(
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

/** Whether it may serve: it is in order, and somebody agreed to what it asks for. */
export function isCallable(record: PluginRecord, version: InstalledVersion): boolean {
  return version.state !== 'ERROR' && isAgreed(record, version);
}

function isAgreed({ consented }: PluginRecord, { manifest }: InstalledVersion): boolean {
  return permissionsBeyond(consented, manifest.permissions).length === 0;
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
