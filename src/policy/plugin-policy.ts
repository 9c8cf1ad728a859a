import { BASELINE } from './baseline.ts';
import type { GrantedProxy, Isolation } from './grant.ts';
import { type AllResources, RESOURCE_KEYS, type ResourceKey, type Resources } from './resources.ts';
import type { Policy } from './schema.ts';
import type { UidRange } from './uids.ts';
import { UNENFORCED_CONTROLS, type UnenforcedControl } from './unenforced.ts';

/** What the policy says about one plugin, the general rules and its own taken together. */
export interface PluginPolicy {
  /** `null`: any content. */
  readonly pinnedDigest: string | null;
  readonly uids: UidRange;
  /** The only user id that its containers may have; `null`: one of the range is chosen once. */
  readonly uid: number | null;
  readonly ceilings: AllResources;
  readonly overrides: Resources;
  readonly allowsScratch: boolean;
  readonly allowsBridge: boolean;
  readonly allowsHostNetwork: boolean;
  readonly allowsExec: boolean;
  /** Mounts that this plugin may ask for. */
  readonly mounts: ReadonlyMap<string, AllowedMount>;
  /** How many containers wait for calls. */
  readonly warm: Policy['warm'];
  readonly isolation: Isolation;
  /** `null`: a rollback is never automatic. */
  readonly rollback: RollbackRule | null;
  /** Whether its calls are kept for replaying them. */
  readonly recordCalls: boolean;
  readonly runtime: string | null;
  readonly timeZone: string;
  readonly locale: string | null;
  readonly proxy: GrantedProxy | null;
  readonly certificates: readonly string[];
  /** In the order of the table, so that the same choice is the same grant. */
  readonly acceptUnenforced: readonly UnenforcedControl[];
}

/** The version before becomes active again when this share of the last calls failed. */
export interface RollbackRule {
  /** Above 0, at most 1. */
  readonly failureShare: number;
  readonly calls: number;
}

export interface AllowedMount {
  readonly path: string;
  readonly mode: 'ro' | 'rw';
}

/** A value under `plugins.<name>` goes before the general one; host network alone needs both. */
export function toPluginPolicy(policy: Policy, name: string): PluginPolicy {
  const own = ownValue(policy.plugins, name);
  return {
    pinnedDigest: own?.digest ?? null,
    uids: policy.uids,
    uid: own?.uid ?? null,
    ceilings: toCeilings(policy.ceilings, own?.ceilings ?? {}),
    overrides: own?.resources ?? {},
    allowsScratch: own?.allow.scratch ?? policy.allow.scratch,
    allowsBridge: own?.allow.bridge ?? policy.allow.bridge,
    allowsHostNetwork: policy.allow.host_network && own?.allow.host_network === true,
    allowsExec: own?.allow.exec ?? policy.allow.exec,
    mounts: toMounts(policy, own?.allow.mounts ?? []),
    warm: own?.warm ?? policy.warm,
    isolation: toIsolation(own),
    rollback:
      own?.rollback === undefined
        ? null
        : { failureShare: own.rollback.failure_percent / 100, calls: own.rollback.calls },
    recordCalls: own?.record_calls ?? false,
    runtime: own?.oci_runtime ?? policy.oci_runtime ?? null,
    timeZone: own?.time_zone ?? policy.time_zone,
    locale: own?.locale ?? policy.locale ?? null,
    proxy: toProxy(own?.proxy ?? policy.proxy),
    certificates: toCertificates(policy, own?.ca_file ?? policy.ca_file),
    acceptUnenforced: UNENFORCED_CONTROLS.filter((control) =>
      (own?.accept_unenforced ?? policy.accept_unenforced).includes(control),
    ),
  };
}

function toProxy(written: Policy['plugins'][string]['proxy']): GrantedProxy | null {
  if (written === undefined || written === false) return null;
  return { url: new URL(written.url).origin, exceptions: written.no_proxy };
}

function toCertificates(policy: Policy, file: string | false | undefined): readonly string[] {
  if (file === undefined || file === false) return [];
  return ownValue(policy.certificates ?? {}, file) ?? [];
}

function toIsolation(own: Policy['plugins'][string] | undefined): Isolation {
  if (own === undefined || own.isolation === 'execution') return BASELINE.isolation.value;
  return {
    mode: own.isolation,
    maxCalls: own.reuse.max_calls,
    maxAgeMs: Math.round(own.reuse.max_seconds * 1000),
  };
}

function toCeilings(general: AllResources, own: Resources): AllResources {
  const pairs = RESOURCE_KEYS.map((key) => [key, own[key] ?? general[key]]);
  return Object.fromEntries(pairs) as Record<ResourceKey, number>;
}

function toMounts(policy: Policy, names: readonly string[]): Map<string, AllowedMount> {
  return new Map(
    names.flatMap((name) => {
      const mount = ownValue(policy.allow.mounts, name);
      return mount === undefined ? [] : [[name, mount] as const];
    }),
  );
}

// A record that a person wrote also answers to the names that every object inherits.
function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
