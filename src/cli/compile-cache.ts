import { existsSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';

/**
 * Has Node keep what it compiles of this program, which is half of its start. It is code that runs the next time, so it lies where
 * nobody else can write; where there is no such place, nothing is kept, and nothing is said. Node looks at
 * `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` before.
 */
export function useCompileCache(env = process.env): void {
  if (getCompileCacheDir() !== undefined || env['NODE_DISABLE_COMPILE_CACHE']) return;
  const folder = privateFolder(env);
  if (folder !== null) enableCompileCache(folder);
}

/** `lurkbox/compiled` in the user's folder for caches, or `null` where it is not the user's alone. */
export function privateFolder({ XDG_CACHE_HOME: given = '' }: NodeJS.ProcessEnv): string | null {
  const user = process.geteuid?.();
  if (user === undefined) return null;
  const caches = isAbsolute(given) ? given : join(homedir(), '.cache');
  try {
    // A person may have put the caches elsewhere by a link; below them there is none.
    const real = existsSync(caches)
      ? realpathSync(caches)
      : join(realpathSync(dirname(caches)), basename(caches));
    const own = join(real, 'lurkbox');
    const folder = join(own, 'compiled');
    if (!existsSync(real) && !hasOwn(real, user)) return null;
    return hasOwn(own, user) && hasOwn(folder, user) ? folder : null;
  } catch {
    return null;
  }
}

/** Looks before it makes one: with the home of somebody else, as sudo leaves it, root makes nothing there. */
function hasOwn(path: string, user: number): boolean {
  if (!isReachedSafely(path, user)) return false;
  // One by one: where none can be made, as below /proc, Node's way to make all of them at once never ends.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 });
  return isOwn(path, user);
}

function isOwn(path: string, user: number): boolean {
  const stats = lstatSync(path);
  return stats.isDirectory() && stats.uid === user && (stats.mode & 0o077) === 0;
}

/** Whether nobody else can put another folder in the place of one on the way to it. */
function isReachedSafely(path: string, user: number): boolean {
  const parent = dirname(path);
  const { uid, mode } = lstatSync(parent);
  const isSticky = (mode & 0o1000) !== 0;
  const isSafe = (uid === user || uid === 0) && ((mode & 0o022) === 0 || isSticky);
  return isSafe && (parent === path || parent === '/' || isReachedSafely(parent, user));
}
