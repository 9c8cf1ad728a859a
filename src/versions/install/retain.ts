import type { InstalledVersion, PluginRecord } from '../registry/record.ts';
import { FOLDER_GONE } from './install.ts';

/** Versions that failed before they ever served: enough to look at what is wrong with the last ones. */
const KEPT_FAILURES = 3;

/** Of a plugin the versions to be forgotten: failures that are not new, and then whatever was installed first. */
export function surplusOf(
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
