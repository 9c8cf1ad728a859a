import { byBytes, type PackageLock } from './package-lock.ts';

export interface LockDifference {
  /** Below the plugin's folder, `node_modules/a/node_modules/b`. */
  readonly place: string;
  /** `null`: it was not there. */
  readonly from: string | null;
  /** `null`: it is not there any more. */
  readonly to: string | null;
}

/** What another lock installs elsewhere, in another version, or from other bytes of the same version; sorted by place. */
export function compareLocks(before: PackageLock, after: PackageLock): LockDifference[] {
  const places = new Set([...Object.keys(before.packages), ...Object.keys(after.packages)]);
  return [...places].sort(byBytes).flatMap((place) => {
    const [was, is] = [entryOf(before, place), entryOf(after, place)];
    if (was?.version === is?.version && was?.integrity === is?.integrity) return [];
    return [{ place, from: was?.version ?? null, to: is?.version ?? null }];
  });
}

function entryOf({ packages }: PackageLock, place: string) {
  return Object.hasOwn(packages, place) ? packages[place] : undefined;
}
