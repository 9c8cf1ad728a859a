import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { readEntries } from '../storage/entries.ts';
import { Folder } from '../storage/folder.ts';
import { isMissing, type PathError } from '../storage/path-error.ts';
import { MANIFEST_FILE } from './load.ts';

/** Where the plugins of a workspace are, relative to its root. */
export const PLUGINS_FOLDER = 'plugins';

/**
 * Absolute paths, without links, of the folders in `plugins/` that have a `plugin.json`, sorted by name; those that begin
 * with a dot are left out, and no `plugins/` is no plugins. A link there is among them, for loading to refuse. Nothing is
 * read or judged, and no link below the workspace is followed.
 *
 * Throws `OPTIONS_INVALID` when `plugins` exists but cannot be listed.
 */
export async function discoverPlugins(workspaceRoot: string): Promise<string[]> {
  using parent = openPlugins(workspaceRoot);
  if (parent === null) return [];
  const entries = (await Array.fromAsync(readEntries(parent)))
    .map(({ name, kind }) => ({ name: name.toString(), kind }))
    .filter(({ name }) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = entries.filter(
    ({ name, kind }) => kind === 'link' || (kind === 'folder' && hasManifest(parent, name)),
  );
  return found.map(({ name }) => parent.pathOf(name));
}

function openPlugins(workspaceRoot: string): Folder | null {
  const path = join(workspaceRoot, PLUGINS_FOLDER);
  try {
    using root = Folder.open(workspaceRoot);
    return root.folder(PLUGINS_FOLDER);
  } catch (cause) {
    if (isMissing(cause)) return null;
    const { reason } = cause as PathError;
    throw new LurkboxError(
      'OPTIONS_INVALID',
      `${quotePath(path)} is not a folder that can be listed: it ${reason}.`,
      { cause },
    );
  }
}

/** A folder that cannot be read is no plugin. One that became a link meanwhile counts, so that loading refuses it. */
function hasManifest(parent: Folder, name: string): boolean {
  try {
    using folder = parent.folder(name);
    return folder.statsOf(MANIFEST_FILE) !== null;
  } catch (error) {
    return (error as PathError).code === 'LINK';
  }
}
