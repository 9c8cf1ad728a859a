import { lstat, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { showPath } from '../printable.ts';
import { MANIFEST_FILE } from './load.ts';

/** Where the plugins of a workspace are, relative to its root. */
export const PLUGINS_FOLDER = 'plugins';

/**
 * Absolute paths of the folders in `plugins/` that have a `plugin.json`, sorted by name; folders that begin with a dot
 * are left out, and no `plugins/` is no plugins. Nothing is read or judged.
 *
 * Throws `OPTIONS_INVALID` when `plugins` exists but cannot be listed.
 */
export async function discoverPlugins(workspaceRoot: string): Promise<string[]> {
  const parent = resolve(workspaceRoot, PLUGINS_FOLDER);
  const names = (await namesIn(parent)).filter((name) => !name.startsWith('.')).sort();
  const folders = names.map((name) => join(parent, name));
  const found = await Promise.all(folders.map((folder) => exists(join(folder, MANIFEST_FILE))));
  return folders.filter((_, index) => found[index]);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new LurkboxError('OPTIONS_INVALID', `${showPath(folder)} is not a folder that can be listed.`, {
      cause,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
