import { LurkboxError } from '../errors.ts';
import { splitDependency } from '../manifest/fields.ts';
import { byBytes, type LockEntry, type PackageLock } from '../manifest/package-lock.ts';
import { PackageTree } from '../manifest/package-tree.ts';

/** What packages are installed for. */
export interface Platform {
  readonly os: string;
  readonly cpu: string;
  readonly libc: string;
}

/** One package of a lock that an image gets. */
export interface LockedPackage {
  /** Where it lies, e.g. `node_modules/a/node_modules/b`. */
  readonly path: string;
  /** As the registry knows it; a path can have another name. */
  readonly name: string;
  readonly version: string;
  /** `sha512-…` of its tarball. */
  readonly integrity: string;
}

/**
 * Of a lock, what is installed for one platform, sorted by path; what is packed inside of a package lies in its tarball.
 * Nothing of it is optional any more: a package that fits and cannot be had is a failure, and never left out in silence.
 * Throws `DEPENDENCY_FAILED`.
 */
export function lockedPackages(
  lock: PackageLock,
  dependencies: readonly string[],
  platform: Platform,
): LockedPackage[] {
  const all = new Map(Object.entries(lock.packages));
  const tree = new PackageTree(all.keys());
  const unusable = findUnusable(all, tree, platform);
  const roots = dependencies.map((written) => `node_modules/${splitDependency(written).name}`);
  for (const root of roots) {
    if (all.has(root) && !unusable.has(root)) continue;
    const { os, cpu, libc } = platform;
    const why = all.has(root)
      ? `, or what it needs, is not for ${os} on ${cpu} with ${libc}`
      : ' is not locked';
    throw new LurkboxError('DEPENDENCY_FAILED', `the npm package \`${root}\`${why}`);
  }
  const selected = new Set(roots);
  for (const place of selected) {
    const { requires = [], optional = [] } = all.get(place)!;
    for (const name of [...requires, ...optional]) {
      const target = tree.find(place, name);
      if (target !== null && !unusable.has(target)) selected.add(target);
    }
  }
  return [...selected].sort(byBytes).map((path) => toLocked(path, all.get(path)!));
}

function toLocked(path: string, { name, version, integrity }: LockEntry): LockedPackage {
  const own = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return { path, name: name ?? own, version, integrity };
}

/** What is not for the platform, what needs such a package, and what needs one that is not there. */
function findUnusable(
  all: ReadonlyMap<string, LockEntry>,
  tree: PackageTree,
  platform: Platform,
): ReadonlySet<string> {
  const neededBy = new Map<string, string[]>();
  const unusable = new Set<string>();
  for (const [place, locked] of all) {
    if (!fits(locked, platform)) unusable.add(place);
    for (const name of locked.requires ?? []) {
      const target = tree.find(place, name);
      if (target === null) unusable.add(place);
      else if (neededBy.has(target)) neededBy.get(target)?.push(place);
      else neededBy.set(target, [place]);
    }
  }
  for (const place of unusable) for (const other of neededBy.get(place) ?? []) unusable.add(other);
  return unusable;
}

function fits({ os, cpu, libc }: LockEntry, platform: Platform): boolean {
  return isNamed(os, platform.os) && isNamed(cpu, platform.cpu) && isNamed(libc, platform.libc);
}

/** As npm reads such a list: no `!` before the value, and the value itself where others are named without one. */
function isNamed(list: readonly string[] | undefined, value: string): boolean {
  if (list === undefined || (list.length === 1 && list[0] === 'any')) return true;
  if (list.includes(`!${value}`)) return false;
  return list.includes(value) || list.every((one) => one.startsWith('!'));
}
