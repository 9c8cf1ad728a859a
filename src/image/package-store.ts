import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, lstat, mkdir, readdir, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What is kept of fetched packages; the ones not used for longest go first. */
export const STORE_LIMITS = { bytes: 256 * 1024 * 1024, files: 4_000 } as const;

/**
 * Tarballs of npm packages by their hash, so that a plugin is built again without asking a registry. Nothing that is read
 * here is believed: whoever takes a file compares its hash.
 */
export class PackageStore {
  readonly #folder: string | null;

  /** `null`: nothing is kept. */
  constructor(cacheDir: string | null) {
    this.#folder = cacheDir === null ? null : join(cacheDir, 'packages');
  }

  /** Puts the tarball at `to` and answers whether it was there, with the hash that it must have. */
  async take(integrity: string, to: string): Promise<boolean> {
    if (this.#folder === null) return false;
    const kept = join(this.#folder, fileName(integrity));
    try {
      if (!(await lstat(kept)).isFile()) return false;
      // Another process may remove it meanwhile.
      await linkOrCopy(kept, to);
      if ((await integrityOf(to)) === integrity) {
        const now = new Date();
        await utimes(kept, now, now).catch(() => {});
        return true;
      }
      await rm(kept, { force: true });
    } catch {
      // It is fetched instead.
    }
    await rm(to, { force: true });
    return false;
  }

  /** Keeps a file that was compared with its hash. What cannot be kept is fetched again. */
  async keep(integrity: string, from: string): Promise<void> {
    if (this.#folder === null) return;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const kept = join(this.#folder, fileName(integrity));
      const arriving = `${kept}.${process.pid}`;
      await rm(arriving, { force: true });
      await linkOrCopy(from, arriving);
      await rename(arriving, kept);
      // Renaming one link of a file over another does nothing (rename(2)).
      await rm(arriving, { force: true });
    } catch {
      // No disk, or a workspace that cannot be written to.
    }
  }

  /** Removes what is beyond `STORE_LIMITS`. */
  async trim(): Promise<void> {
    if (this.#folder === null) return;
    const folder = this.#folder;
    const names = await readdir(folder).catch(() => []);
    const stats = await Promise.all(names.map((name) => lstat(join(folder, name)).catch(() => null)));
    const files = names
      .map((name, index) => ({ name, usedMs: stats[index]?.mtimeMs ?? 0, bytes: stats[index]?.size ?? 0 }))
      .sort((a, b) => b.usedMs - a.usedMs);
    let bytes = 0;
    for (const [index, file] of files.entries()) {
      bytes += file.bytes;
      if (bytes <= STORE_LIMITS.bytes && index < STORE_LIMITS.files) continue;
      await rm(join(folder, file.name), { force: true, recursive: true });
    }
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
