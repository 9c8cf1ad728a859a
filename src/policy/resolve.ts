import { deepFreeze } from '../deep-freeze.ts';
import { LurkboxError } from '../errors.ts';
import type { PluginManifest } from '../manifest/schema.ts';
import type { Grant, GrantedMount, Restriction } from './grant.ts';
import { type PermissionRequest, toRequest } from './permission-request.ts';
import { type Rating, rateGrant } from './rating.ts';
import { toGrantUnits } from './resources.ts';
import { type DecidedUser, toRestrictions } from './restrictions.ts';
import { type Decision, type Denial, decide, findDenials } from './rules.ts';
import type { Policy } from './schema.ts';
import { SHARED_UID } from './uids.ts';

export type { Decision, Denial } from './rules.ts';

export type Resolution = Granted | { readonly ok: false; readonly denials: readonly Denial[] };

export interface Granted {
  readonly ok: true;
  readonly grant: Grant;
  /** Every control of the container, opened or not. */
  readonly restrictions: readonly Restriction[];
  readonly rating: Rating;
  /** How many containers wait for calls. */
  readonly warm: Policy['warm'];
}

/**
 * Baseline ∩ policy ∩ manifest. What is asked for beyond the policy is denied, every denial at once, and never cut
 * down to what would be allowed. `uid`: the user id that the plugin was given; without one nothing may run under the grant.
 */
export function resolveGrant(
  manifest: PluginManifest,
  policy: Policy,
  digest: string | null,
  uid: number | null = null,
): Resolution {
  const request = toRequest(manifest, policy, digest);
  const denials = findDenials(request);
  if (denials.length > 0) return { ok: false, denials };
  const grant = toGrant(request, uid);
  return {
    ok: true,
    grant,
    restrictions: toRestrictions(grant, request.resources, toUser(request, uid)),
    rating: rateGrant(grant),
    warm: request.policy.warm,
  };
}

/** What each rule says of it, for the record; `resolveGrant` decides. */
export function decideRequest(manifest: PluginManifest, policy: Policy, digest: string | null): Decision[] {
  return decide(toRequest(manifest, policy, digest));
}

/** The same as `resolveGrant`, throwing `POLICY_DENIED` with every denial as a problem. */
export function resolveOrThrow(
  manifest: PluginManifest,
  policy: Policy,
  digest: string | null,
  uid: number | null = null,
): Granted {
  const resolution = resolveGrant(manifest, policy, digest, uid);
  if (resolution.ok) return resolution;
  const message = `The policy denies what the plugin \`${manifest.name}\` asks for.`;
  throw new LurkboxError('POLICY_DENIED', message, { problems: resolution.denials });
}

/** Only for a request that no rule refuses: then the plugin gets what it asked for. */
function toGrant(request: PermissionRequest, uid: number | null): Grant {
  const { manifest, policy, network, scratch } = request;
  if (network === 'fetch') throw new LurkboxError('INTERNAL', 'A request for single hosts passed the rules.');
  const numbers = toGrantUnits(request.resources);
  const { channels } = manifest.permissions;
  return deepFreeze({
    plugin: manifest.name,
    uid: policy.uid ?? uid ?? SHARED_UID,
    uids: { ...policy.uids },
    network,
    exec: manifest.permissions.exec,
    ...numbers,
    scratchBytes: scratch ? numbers.scratchBytes : 0,
    mounts: toMounts(request),
    channels: channels === undefined ? null : [...channels],
    isolation: { ...policy.isolation },
    runtime: policy.runtime,
    timeZone: policy.timeZone,
    locale: policy.locale,
    proxy: network === 'none' ? null : policy.proxy,
    certificates: network === 'none' ? [] : policy.certificates,
    acceptUnenforced: [...policy.acceptUnenforced],
  });
}

function toUser({ policy }: PermissionRequest, uid: number | null): DecidedUser {
  const origin = policy.uid === null ? 'baseline' : 'policy';
  return { uid: policy.uid ?? uid, origin, range: policy.uids };
}

function toMounts({ mounts, policy }: PermissionRequest): GrantedMount[] {
  return [...mounts].map(([name, mode]) => {
    const allowed = policy.mounts.get(name);
    if (allowed === undefined) throw new LurkboxError('INTERNAL', 'A mount without a path passed the rules.');
    return { name, hostPath: allowed.path, containerPath: `/mnt/${name}`, mode };
  });
}
