import { lstat, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { showPath } from '../printable.ts';
import { BASELINE } from './baseline.ts';
import type { GrantedMount } from './grant.ts';
import { ENGINE_SOCKETS } from './mount-path.ts';

/**
 * Looks again at the folders behind mounts, right before they are used: since the policy was read, somebody may have
 * put a link in the place of one. Throws `POLICY_INVALID`.
 */
export async function assertMountFolders(mounts: readonly GrantedMount[]): Promise<void> {
  const faults = await Promise.all(
    mounts.map(async ({ name, hostPath }) => ({
      path: `allow.mounts.${name}.path`,
      fault: await folderFault(hostPath),
    })),
  );
  const problems = faults.flatMap(({ path, fault }) => (fault === null ? [] : [{ path, message: fault }]));
  if (problems.length > 0) {
    throw new LurkboxError('POLICY_INVALID', 'A folder that the policy binds is not what it was.', {
      problems,
    });
  }
}

/** What keeps a folder of the host from being bound; `null` when nothing does. */
export async function folderFault(path: string): Promise<string | null> {
  try {
    const real = await realpath(path);
    if (real !== path) return `leads through a symbolic link to ${showPath(real)}; write that path`;
    if (!(await stat(path)).isDirectory()) return 'is not a folder';
  } catch (error) {
    return `cannot be reached (${(error as NodeJS.ErrnoException).code})`;
  }
  for (const socket of ENGINE_SOCKETS) {
    if (await isForeignSocket(join(path, socket))) return `holds \`${socket}\`, the socket of an engine`;
  }
  return null;
}

const PLUGIN_UID = Number(BASELINE.user.value.split(':')[0]);

// A plugin that may write there could give its own socket or file that name, and nobody could use the folder any more.
async function isForeignSocket(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  return stats?.isSocket() === true && stats.uid !== PLUGIN_UID;
}
