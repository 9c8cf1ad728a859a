import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { isProcessGone, ownProcess } from '../process.ts';
import { entriesIn } from './entries.ts';
import { Folder } from './folder.ts';
import { isMissing, PathError } from './path-error.ts';
import { removeTreeLater } from './remove-tree.ts';

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** Held open, for whoever follows no path; closed when this is disposed of. */
  readonly folder: Folder;
}

const PARENT = 'tmp';

/**
 * A new private folder below `<cacheDir>/tmp`, removed with everything in it when it is disposed. It is named for its
 * process, so that others can tell when nobody is left to remove it. `cacheDir` is absolute; no link on the way to it is
 * followed. @throws LurkboxError `REGISTRY_INVALID` where one is met
 */
export async function createTempFolder(cacheDir: string): Promise<TempFolder> {
  const parent = openParent(cacheDir);
  try {
    await removeStale(parent);
    return newFolderIn(parent);
  } catch (error) {
    parent[Symbol.dispose]();
    throw error;
  }
}

/** The same at once, for what is moved there to be removed; what processes left that are no more stays for another time. */
export function createTempFolderNow(cacheDir: string): TempFolder {
  const parent = openParent(cacheDir);
  try {
    return newFolderIn(parent);
  } catch (error) {
    parent[Symbol.dispose]();
    throw error;
  }
}

/** Closes its parent with itself. */
function newFolderIn(parent: Folder): TempFolder {
  const name = `image-${toFileName(ownProcess())}-${randomBytes(6).toString('hex')}`;
  const folder = parent.newFolder(name);
  let removal: Promise<void> | undefined;
  const remove = async (): Promise<void> => {
    using _ = parent;
    folder[Symbol.dispose]();
    await removeTreeLater(parent, name);
  };
  return { path: folder.path, folder, [Symbol.asyncDispose]: () => (removal ??= remove()) };
}

/** Removes the folders of processes that are no more. */
export async function removeStaleFolders(cacheDir: string): Promise<void> {
  try {
    using cache = Folder.openResolved(cacheDir);
    using parent = cache.folder(PARENT);
    await removeStale(parent);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function removeStale(parent: Folder): Promise<void> {
  for (const { name } of entriesIn(parent)) {
    const owner = /^image-([^-]+)-\w+$/.exec(name.toString())?.[1];
    if (owner !== undefined && isProcessGone(owner.replaceAll('.', ':'))) await removeTreeLater(parent, name);
  }
}

function openParent(cacheDir: string): Folder {
  mkdirSync(dirname(cacheDir), { recursive: true });
  try {
    using above = Folder.openResolved(dirname(cacheDir));
    using cache = above.makeFolder(basename(cacheDir));
    return cache.makeFolder(PARENT);
  } catch (cause) {
    if (!(cause instanceof PathError)) throw cause;
    throw new LurkboxError('REGISTRY_INVALID', `No temporary folder can be made: ${cause.message}.`, {
      cause,
    });
  }
}

// A colon ends a path in the lists that the loader takes.
function toFileName(ownProcess: string): string {
  return ownProcess.replaceAll(':', '.');
}
