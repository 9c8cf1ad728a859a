import type { Problem } from '../errors.ts';
import { namedPackages } from '../manifest/vendored.ts';
import { quoteValue } from '../printable.ts';
import type { PermissionRequest } from './permission-request.ts';
import { RESOURCE_KEYS, RESOURCES, withUnit } from './resources.ts';

/** What was refused: where the manifest asks for it, why, and what would have to change. */
export type Denial = Problem;

type Rule = (request: PermissionRequest) => readonly Denial[];

/** A request passes when no rule has anything against it. Each names both sides; none cuts a request down. */
export const RULES: readonly Rule[] = [
  contentIsPinned,
  numbersWithinCeilings,
  numbersAboveFloors,
  tmpfsFitsIntoMemory,
  scratchSizeNeedsScratch,
  scratchNeedsPolicy,
  mountsNeedPolicy,
  execNeedsPolicy,
  bridgeNeedsPolicy,
  hostNetworkNeedsBothSwitches,
  hostsNeedHostFetch,
  secretsNeedHostFetch,
];

export function findDenials(request: PermissionRequest): Denial[] {
  return RULES.flatMap((rule) => rule(request));
}

/** What one rule said of one request. */
export interface Decision {
  readonly rule: string;
  /** Empty: it has nothing against it. */
  readonly denials: readonly Denial[];
}

/** The same, rule by rule, for the record. */
export function decide(request: PermissionRequest): Decision[] {
  return RULES.map((rule) => ({ rule: rule.name, denials: rule(request) }));
}

// Packages that are not locked yet are judged when they are locked, before anything of the plugin runs.
function contentIsPinned({ policy, digest, manifest }: PermissionRequest): Denial[] {
  if (policy.pinnedDigest === null || policy.pinnedDigest === digest || digest === null) return [];
  const packages =
    namedPackages(manifest).length === 0
      ? ''
      : 'a digest is also over the lock of its npm packages, so that the same files with other packages have another; ';
  return denied(
    '',
    `the policy pins the content to ${policy.pinnedDigest}, and it is ${digest}; ${packages}` +
      `review it, then change \`plugins.${manifest.name}.digest\` in the policy`,
  );
}

function numbersWithinCeilings({ resources, policy, manifest }: PermissionRequest): Denial[] {
  return RESOURCE_KEYS.flatMap((key) => {
    const { value } = resources[key];
    const ceiling = policy.ceilings[key];
    if (value <= ceiling) return [];
    return denied(
      `resources.${key}`,
      `asks for ${withUnit(key, value)}, and the ceiling is ${withUnit(key, ceiling)}; ` +
        `ask for less, or raise \`plugins.${manifest.name}.ceilings.${key}\` in the policy`,
    );
  });
}

function numbersAboveFloors({ resources }: PermissionRequest): Denial[] {
  return RESOURCE_KEYS.flatMap((key) => {
    const { value } = resources[key];
    const { floor, floorReason } = RESOURCES[key];
    if (value >= floor) return [];
    return denied(
      `resources.${key}`,
      `asks for ${withUnit(key, value)}, and at least ${withUnit(key, floor)} is needed. ${floorReason}`,
    );
  });
}

function tmpfsFitsIntoMemory({ resources, scratch }: PermissionRequest): Denial[] {
  const { memory_mb: memory, tmp_mb: tmp, scratch_mb } = resources;
  const tmpfs = tmp.value + (scratch ? scratch_mb.value : 0);
  if (tmpfs < memory.value) return [];
  const parts = scratch
    ? `\`/tmp\` (${tmp.value} MiB) and \`/scratch\` (${scratch_mb.value} MiB)`
    : `\`/tmp\` (${tmp.value} MiB)`;
  return denied(
    'resources.memory_mb',
    `${parts} count as memory and must stay below the ${memory.value} MiB of it; ` +
      'ask for more memory, or less in `resources.tmp_mb` or `resources.scratch_mb`',
  );
}

function scratchSizeNeedsScratch({ manifest, scratch }: PermissionRequest): Denial[] {
  if (scratch || manifest.resources.scratch_mb === undefined) return [];
  return denied(
    'resources.scratch_mb',
    'gives `/scratch` a size, but `permissions.filesystem` does not ask for one; ask for it or leave this out',
  );
}

function scratchNeedsPolicy({ manifest, scratch, policy }: PermissionRequest): Denial[] {
  if (!scratch || policy.allowsScratch) return [];
  return notAllowed('permissions.filesystem', 'a `/scratch` folder', manifest.name, 'scratch');
}

function mountsNeedPolicy({ manifest, mounts, policy }: PermissionRequest): Denial[] {
  return [...mounts].flatMap(([name, mode]) => {
    const path = `permissions.filesystem.mounts.${name}`;
    const allowed = policy.mounts.get(name);
    if (allowed === undefined) {
      return denied(
        path,
        `asks for the mount "${name}", which the policy does not give this plugin; leave it out, or bind it in ` +
          `\`allow.mounts\` and list it in \`plugins.${manifest.name}.allow.mounts\` of the policy`,
      );
    }
    if (mode === 'ro' || allowed.mode === 'rw') return [];
    return denied(
      path,
      `asks for "rw", and the policy allows "ro"; ask for "ro", or change \`allow.mounts.${name}.mode\` in the policy`,
    );
  });
}

function execNeedsPolicy({ manifest, policy }: PermissionRequest): Denial[] {
  if (!manifest.permissions.exec || policy.allowsExec) return [];
  return notAllowed('permissions.exec', 'processes', manifest.name, 'exec');
}

function bridgeNeedsPolicy({ manifest, network, policy }: PermissionRequest): Denial[] {
  if (network !== 'bridge' || policy.allowsBridge) return [];
  return notAllowed('permissions.network', 'a bridge network', manifest.name, 'bridge');
}

function hostNetworkNeedsBothSwitches({ manifest, network, policy }: PermissionRequest): Denial[] {
  if (network !== 'host' || policy.allowsHostNetwork) return [];
  return denied(
    'permissions.network',
    'asks for the network of the host, which the policy does not allow; ask for less, or set both ' +
      `\`allow.host_network\` and \`plugins.${manifest.name}.allow.host_network\` in the policy to true`,
  );
}

// Until the orchestrator can fetch for a plugin these are refused: a bridge would be far more than was asked for.
function hostsNeedHostFetch({ network }: PermissionRequest): Denial[] {
  if (network !== 'fetch') return [];
  return denied(
    'permissions.network',
    'asks for single hosts, which the orchestrator would have to fetch from for the plugin; this version of lurkbox ' +
      'cannot do that. Ask for false, or for true where the policy allows a bridge network',
  );
}

function secretsNeedHostFetch({ manifest }: PermissionRequest): Denial[] {
  const { secrets } = manifest.permissions;
  if (secrets.length === 0) return [];
  return denied(
    'permissions.secrets',
    `asks for ${secrets.map(quoteValue).join(', ')}; secrets are put into requests that the orchestrator makes for the ` +
      'plugin, and this version of lurkbox makes none. Leave the list empty',
  );
}

function notAllowed(path: string, what: string, plugin: string, key: string): Denial[] {
  return denied(
    path,
    `asks for ${what}, which the policy does not allow; ask for less, or set \`plugins.${plugin}.allow.${key}\` ` +
      'in the policy to true',
  );
}

function denied(path: string, message: string): Denial[] {
  return [{ path, message }];
}
