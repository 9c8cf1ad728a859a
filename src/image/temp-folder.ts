import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'image-';

/** Longer than any build takes: an older folder was left by a process that was killed. */
const STALE_AFTER_MS = 60 * 60 * 1000;

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
}

/** A new private folder below `<cacheDir>/tmp`, removed with everything in it when it is disposed. */
export async function createTempFolder(cacheDir: string): Promise<TempFolder> {
  const parent = join(cacheDir, 'tmp');
  await mkdir(parent, { recursive: true });
  await removeStale(parent);
  const path = await mkdtemp(join(parent, PREFIX));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(parent, name);
    const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > STALE_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}
