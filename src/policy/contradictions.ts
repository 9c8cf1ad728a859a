import type { Problem } from '../errors.ts';
import { contains } from './mount-path.ts';
import { toPluginPolicy } from './plugin-policy.ts';
import { hasCredentials } from './proxy.ts';
import { RESOURCE_KEYS, RESOURCES, type Resources, withUnit } from './resources.ts';
import type { Policy } from './schema.ts';
import { isInRange, SHARED_UID } from './uids.ts';

type Contradiction = (policy: Policy) => readonly Problem[];

const CONTRADICTIONS: readonly Contradiction[] = [
  ceilingsBelowFloors,
  overridesBelowFloors,
  overridesAboveCeilings,
  unknownMounts,
  mountsInsideWritableOnes,
  hostNetworkSwitchedOnAlone,
  emptyUidRange,
  uidsOutsideOfTheRange,
  proxiesWithPasswords,
];

/** What a policy says against itself or against what a container needs. */
export function findContradictions(policy: Policy): Problem[] {
  return CONTRADICTIONS.flatMap((contradiction) => contradiction(policy));
}

function proxiesWithPasswords({ proxy, plugins }: Policy): Problem[] {
  const named = [
    { path: 'proxy.url', written: proxy },
    ...Object.entries(plugins).map(([name, own]) => ({
      path: `plugins.${name}.proxy.url`,
      written: own.proxy,
    })),
  ];
  return named.flatMap(({ path, written }) => {
    if (written === undefined || written === false || !hasCredentials(written.url)) return [];
    const message =
      'expected an address without a name and a password, which the plugin could read; have the proxy know its users in another way, such as by their address';
    return [{ path, message }];
  });
}

function ceilingsBelowFloors(policy: Policy): Problem[] {
  return [
    ...belowFloors(policy.ceilings, 'ceilings'),
    ...Object.entries(policy.plugins).flatMap(([name, { ceilings }]) =>
      belowFloors(ceilings, `plugins.${name}.ceilings`),
    ),
  ];
}

function overridesBelowFloors(policy: Policy): Problem[] {
  return Object.entries(policy.plugins).flatMap(([name, { resources }]) =>
    belowFloors(resources, `plugins.${name}.resources`),
  );
}

function belowFloors(resources: Resources, path: string): Problem[] {
  return RESOURCE_KEYS.flatMap((key) => {
    const { floor, floorReason } = RESOURCES[key];
    const value = resources[key];
    if (value === undefined || value >= floor) return [];
    const message = `expected at least ${withUnit(key, floor)}, got ${withUnit(key, value)}. ${floorReason}`;
    return [{ path: `${path}.${key}`, message }];
  });
}

function overridesAboveCeilings(policy: Policy): Problem[] {
  return Object.entries(policy.plugins).flatMap(([name, { resources }]) => {
    const { ceilings } = toPluginPolicy(policy, name);
    return RESOURCE_KEYS.flatMap((key) => {
      const value = resources[key];
      if (value === undefined || value <= ceilings[key]) return [];
      const message =
        `expected at most the ceiling of ${withUnit(key, ceilings[key])}, got ${withUnit(key, value)}; ` +
        `lower it or set \`plugins.${name}.ceilings.${key}\``;
      return [{ path: `plugins.${name}.resources.${key}`, message }];
    });
  });
}

// Whoever writes to the outer folder could put a link in the place of the inner one, and have the next call follow it.
function mountsInsideWritableOnes({ allow }: Policy): Problem[] {
  const mounts = Object.entries(allow.mounts);
  return mounts.flatMap(([name, { path }]) => {
    const outer = mounts.find(
      ([other, mount]) => other !== name && mount.mode === 'rw' && contains(mount.path, path),
    );
    if (outer === undefined) return [];
    const message = `lies in the folder of \`${outer[0]}\`, which is "rw"; bind folders beside each other`;
    return [{ path: `allow.mounts.${name}.path`, message }];
  });
}

function unknownMounts(policy: Policy): Problem[] {
  return Object.entries(policy.plugins).flatMap(([name, { allow }]) =>
    allow.mounts
      .filter((mount) => !Object.hasOwn(policy.allow.mounts, mount))
      .map((mount) => ({
        path: `plugins.${name}.allow.mounts`,
        message: `expected names from \`allow.mounts\`, got "${mount}", which is not there`,
      })),
  );
}

function hostNetworkSwitchedOnAlone(policy: Policy): Problem[] {
  if (policy.allow.host_network) return [];
  return Object.entries(policy.plugins)
    .filter(([, { allow }]) => allow.host_network === true)
    .map(([name]) => ({
      path: `plugins.${name}.allow.host_network`,
      message: 'has no effect while `allow.host_network` is false; set both to true or leave both out',
    }));
}

function emptyUidRange({ uids: { first, last } }: Policy): Problem[] {
  if (first <= last) return [];
  return [{ path: 'uids.last', message: `expected at least the ${first} of \`uids.first\`, got ${last}` }];
}

function uidsOutsideOfTheRange({ uids, plugins }: Policy): Problem[] {
  return Object.entries(plugins).flatMap(([name, { uid }]) => {
    if (uid === undefined || uid === SHARED_UID || isInRange(uid, uids)) return [];
    const message = `expected ${SHARED_UID}, or a number of \`uids\` from ${uids.first} to ${uids.last}, got ${uid}`;
    return [{ path: `plugins.${name}.uid`, message }];
  });
}
