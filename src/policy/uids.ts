import { createHash } from 'node:crypto';

/** Numbers of users, the first and the last one included. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** What a policy may choose from: above the accounts of systems, below `nobody` and what the images themselves name. */
export const UID_BOUNDS: UidRange = { first: 1_000, last: 65_531 };

/** Above what `adduser` gives out in a lifetime, below what systemd gives to homes (60001) and services (61184). */
export const DEFAULT_UID_RANGE: UidRange = { first: 40_000, last: 59_999 };

/** The user that images name. A plugin has it only where its policy says so. */
export const SHARED_UID = 65_532;

/** All that a container can have. */
export const PLUGIN_UIDS: UidRange = { first: UID_BOUNDS.first, last: SHARED_UID };

/**
 * A number of the range for one plugin of one workspace, the same at every time: where it begins to look follows from both
 * names, so that plugins of different workspaces on one engine rarely meet. `null` where all are taken.
 */
export function chooseUid(
  { first, last }: UidRange,
  { workspace, plugin }: { workspace: string; plugin: string },
  isTaken: (uid: number) => boolean,
): number | null {
  const size = last - first + 1;
  const hash = createHash('sha256')
    .update(JSON.stringify([workspace, plugin]))
    .digest();
  const start = hash.readUIntBE(0, 6) % size;
  for (let step = 0; step < size; step++) {
    const uid = first + ((start + step) % size);
    if (!isTaken(uid)) return uid;
  }
  return null;
}

export function isInRange(uid: number, { first, last }: UidRange): boolean {
  return uid >= first && uid <= last;
}

/** Whether plugins have it, by this policy or by the default of an earlier one: what they made then is still there. */
export function isPluginUid(uid: number, uids: UidRange): boolean {
  return uid === SHARED_UID || isInRange(uid, uids) || isInRange(uid, DEFAULT_UID_RANGE);
}
