import type { PluginManifest } from '../manifest/schema.ts';

type Permissions = PluginManifest['permissions'];

/** One permission that one side asks for and the other does not. */
export interface PermissionChange {
  /** Where the manifest says it, e.g. `permissions.network`. */
  readonly path: string;
  readonly consented: string;
  readonly asked: string;
}

/** What is asked for beyond what somebody agreed to; empty: nothing. What is given up is no change. Pure. */
export function permissionsBeyond(consented: Permissions, asked: Permissions): PermissionChange[] {
  return [
    ...network(consented, asked),
    ...flag('permissions.exec', consented.exec, asked.exec),
    ...filesystem(consented, asked),
    ...channels(consented, asked),
    ...added('permissions.secrets', consented.secrets, asked.secrets),
  ];
}

/** What is agreed to when somebody agrees to more: all of both. Pure. */
export function permissionsOfBoth(one: Permissions, other: Permissions): Permissions {
  const [first, second] = [toFilesystem(one), toFilesystem(other)];
  const mounts = { ...first.mounts };
  for (const [name, mode] of Object.entries(second.mounts))
    mounts[name] = mounts[name] === 'rw' ? 'rw' : mode;
  const { channels: these } = one;
  const { channels: those } = other;
  return {
    network: moreOpen(one.network, other.network),
    exec: one.exec || other.exec,
    filesystem: { scratch: first.scratch || second.scratch, mounts },
    secrets: both(one.secrets, other.secrets),
    // No list is any channel.
    ...(these !== undefined && those !== undefined && { channels: both(these, those) }),
  };
}

function moreOpen(one: Permissions['network'], other: Permissions['network']): Permissions['network'] {
  if (typeof one === 'object' && typeof other === 'object') return { hosts: both(one.hosts, other.hosts) };
  return openness(one) >= openness(other) ? one : other;
}

function both(these: readonly string[], those: readonly string[]): string[] {
  return [...new Set([...these, ...those])];
}

function network({ network: before }: Permissions, { network: after }: Permissions): PermissionChange[] {
  const path = 'permissions.network';
  if (typeof after === 'object' && typeof before === 'object')
    return added(`${path}.hosts`, before.hosts, after.hosts);
  if (openness(after) <= openness(before)) return [];
  return [{ path, consented: describeNetwork(before), asked: describeNetwork(after) }];
}

/** Each is a part of the next: a bridge reaches every host, and the host's network every bridge. */
function openness(asked: Permissions['network']): number {
  if (asked === false) return 0;
  if (typeof asked === 'object') return 1;
  return asked === true ? 2 : 3;
}

function describeNetwork(asked: Permissions['network']): string {
  if (typeof asked === 'object') return asked.hosts.join(', ');
  if (asked === 'host') return 'the network of the host';
  return asked ? 'a bridge network' : 'none';
}

function filesystem(before: Permissions, after: Permissions): PermissionChange[] {
  const path = 'permissions.filesystem';
  const [had, wants] = [toFilesystem(before), toFilesystem(after)];
  return [
    ...flag(`${path}.scratch`, had.scratch, wants.scratch),
    ...Object.entries(wants.mounts).flatMap(([name, mode]) => {
      const known = Object.hasOwn(had.mounts, name) ? had.mounts[name] : undefined;
      if (known === 'rw' || known === mode) return [];
      return [{ path: `${path}.mounts.${name}`, consented: known ?? 'none', asked: mode }];
    }),
  ];
}

function toFilesystem({ filesystem: asked }: Permissions) {
  return typeof asked === 'boolean' ? { scratch: asked, mounts: {} as Record<string, 'ro' | 'rw'> } : asked;
}

/** No list is any channel. */
function channels({ channels: before }: Permissions, { channels: after }: Permissions): PermissionChange[] {
  if (before === undefined) return [];
  if (after !== undefined) return added('permissions.channels', before, after);
  return [{ path: 'permissions.channels', consented: list(before), asked: 'any' }];
}

function flag(path: string, before: boolean, after: boolean): PermissionChange[] {
  return after && !before ? [{ path, consented: 'no', asked: 'yes' }] : [];
}

function added(path: string, before: readonly string[], after: readonly string[]): PermissionChange[] {
  const more = after.filter((item) => !before.includes(item));
  return more.length === 0 ? [] : [{ path, consented: list(before), asked: `also ${more.join(', ')}` }];
}

function list(items: readonly string[]): string {
  return items.join(', ') || 'none';
}
