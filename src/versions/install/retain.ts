import type { InstalledVersion, PluginRecord } from '../registry/record.ts';

/** Reason of a version whose folder was taken away from under a watcher, or from `plugins/`. */
export const FOLDER_GONE = 'its folder is gone';

/** Versions that failed before they ever served: enough to look at what is wrong with the last ones. */
const KEPT_FAILURES = 3;

/** The versions of a plugin whose images stay: active, a canary, or active lately. */
export function neededVersions(
  { active, canary, activeBefore, versions }: PluginRecord,
  keepVersions: number,
): readonly InstalledVersion[] {
  const ids = new Set([
    active?.reason === FOLDER_GONE ? undefined : active?.id,
    canary?.versionId,
    ...activeBefore.slice(0, keepVersions),
  ]);
  return versions.filter(({ id }) => ids.has(id));
}

/** Contents that stand under a version number which was installed again since. */
export function replacedVersions(
  { versions }: PluginRecord,
  needed: readonly InstalledVersion[],
): readonly InstalledVersion[] {
  return versions.filter(
    (version) =>
      !needed.includes(version) &&
      versions.some((one) => one.version === version.version && one.id > version.id),
  );
}

/** The versions to be forgotten: failures that are not new, and then whatever was installed first. */
export function surplusVersions(
  { versions, active, activeBefore }: PluginRecord,
  kept: readonly InstalledVersion[],
  maxVersions: number,
): readonly InstalledVersion[] {
  const spare = versions
    .filter((version) => version.id !== active?.id && !kept.includes(version))
    .sort((a, b) => a.id - b.id);
  const failed = spare.filter(
    ({ id, state, reason }) => state === 'ERROR' && reason !== FOLDER_GONE && !activeBefore.includes(id),
  );
  const old = failed.slice(0, Math.max(0, failed.length - KEPT_FAILURES));
  const left = spare.filter((version) => !old.includes(version));
  const others = versions.length - spare.length;
  return [...old, ...left.slice(0, Math.max(0, others + left.length - maxVersions))];
}
