import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, lstat, rename, rm, utimes } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { entriesIn } from '../storage/entries.ts';
import { Folder } from '../storage/folder.ts';
import { removeTreeLater } from '../storage/remove-tree.ts';

/** What is kept of fetched packages; the ones not used for longest go first. */
export const STORE_LIMITS = { bytes: 256 * 1024 * 1024, files: 4_000 } as const;

const PACKAGES_FOLDER = 'packages';

/**
 * Tarballs of npm packages by their hash, so that a plugin is built again without asking a registry. Nothing that is read
 * here is believed: whoever takes a file compares its hash. The folder is reached without following a link.
 */
export class PackageStore {
  readonly #cacheDir: string | null;

  /** `null`: nothing is kept. */
  constructor(cacheDir: string | null) {
    this.#cacheDir = cacheDir;
  }

  /** Puts the tarball at `to` and answers whether it was there, with the hash that it must have. */
  async take(integrity: string, to: string): Promise<boolean> {
    try {
      const taken = await this.#inFolder('folder', (folder) => takeFrom(folder, integrity, to));
      if (taken === true) return true;
    } catch {
      // It is fetched instead.
    }
    await rm(to, { force: true });
    return false;
  }

  /** Keeps a file that was compared with its hash. What cannot be kept is fetched again. */
  async keep(integrity: string, from: string): Promise<void> {
    try {
      await this.#inFolder('makeFolder', async (folder) => {
        const kept = folder.at(fileName(integrity));
        const arriving = `${kept}.${process.pid}`;
        await rm(arriving, { force: true });
        await linkOrCopy(from, arriving);
        await rename(arriving, kept);
        // Renaming one link of a file over another does nothing (rename(2)).
        await rm(arriving, { force: true });
      });
    } catch {
      // No disk, or a workspace that cannot be written to.
    }
  }

  /** Removes what is beyond `STORE_LIMITS`. */
  async trim(): Promise<void> {
    // What is not trimmed now is the next time.
    await this.#inFolder('folder', trimFolder).catch(() => {});
  }

  /** `null` where nothing is kept. */
  async #inFolder<T>(open: 'folder' | 'makeFolder', work: (folder: Folder) => Promise<T>): Promise<T | null> {
    if (this.#cacheDir === null) return null;
    using cache = Folder.openResolved(this.#cacheDir);
    using folder = cache[open](PACKAGES_FOLDER);
    return await work(folder);
  }
}

async function takeFrom(folder: Folder, integrity: string, to: string): Promise<boolean> {
  const kept = folder.at(fileName(integrity));
  if (!(await lstat(kept)).isFile()) return false;
  // Another process may remove it meanwhile.
  await linkOrCopy(kept, to);
  if ((await integrityOf(to)) === integrity) {
    const now = new Date();
    await utimes(kept, now, now).catch(() => {});
    return true;
  }
  await rm(kept, { force: true });
  return false;
}

async function trimFolder(folder: Folder): Promise<void> {
  const names = entriesIn(folder).map(({ name }) => name);
  const files = names
    .map((name) => ({ name, stats: folder.statsOf(name) }))
    .map(({ name, stats }) => ({ name, usedMs: stats?.mtimeMs ?? 0n, bytes: Number(stats?.size ?? 0n) }))
    .sort((a, b) => Number(b.usedMs - a.usedMs));
  let bytes = 0;
  for (const [index, file] of files.entries()) {
    bytes += file.bytes;
    if (bytes <= STORE_LIMITS.bytes && index < STORE_LIMITS.files) continue;
    await removeTreeLater(folder, file.name);
  }
}

function fileName(integrity: string): string {
  return `${Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')}.tgz`;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

/** `sha512-…` as a lock writes it. */
export async function integrityOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest('base64')}`;
}
