import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isProcessGone, ownProcess } from '../process.ts';

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

/**
 * A new private folder below `<cacheDir>/tmp`, removed with everything in it when it is disposed. It is named for its
 * process, so that others can tell when nobody is left to remove it.
 */
export async function createTempFolder(cacheDir: string): Promise<TempFolder> {
  const parent = parentOf(cacheDir);
  await mkdir(parent, { recursive: true });
  await removeStaleFolders(cacheDir);
  const path = await mkdtemp(join(parent, `image-${toFileName(ownProcess())}-`));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Removes the folders of processes that are no more. */
export async function removeStaleFolders(cacheDir: string): Promise<void> {
  const parent = parentOf(cacheDir);
  for (const name of await readdir(parent).catch(() => [])) {
    const owner = /^image-([^-]+)-\w+$/.exec(name)?.[1];
    if (owner !== undefined && isProcessGone(owner.replaceAll('.', ':')))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}

// A colon ends a path in the lists that the loader takes.
function toFileName(ownProcess: string): string {
  return ownProcess.replaceAll(':', '.');
}

function parentOf(cacheDir: string): string {
  return join(cacheDir, 'tmp');
}
