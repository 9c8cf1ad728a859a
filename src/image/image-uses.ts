import { createHash, randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Logger } from '../logger.ts';

/** Longest path of Linux. */
const MAX_PATH_BYTES = 4_096;
/** Workspaces that are looked at for one image; an image with this many is needed in any case. */
const MAX_WORKSPACES = 1_000;
/** Where a record cannot be read, somebody needs the image all the same. */
const UNKNOWN = 'a workspace whose record cannot be read';

/** The other workspaces of this user that have recorded one image. */
export interface ImageUsers {
  readonly there: readonly string[];
  /** Workspaces whose folders are gone. */
  readonly gone: readonly string[];
}

/**
 * Which workspaces of this user need which images, whichever engine those are in: for each image a folder with a file for each
 * workspace, so that processes change no file of one another and a crash leaves nothing half. Where there is no place for it,
 * nothing is recorded.
 */
export class ImageUses {
  readonly #workspace: { readonly path: string; readonly id: string } | null;
  readonly #folder: () => Promise<string | null>;
  readonly #logger: Logger;
  readonly #recorded = new Map<string, Promise<void>>();

  /** @param folder that only this user can write to; `null` where there is no such folder */
  constructor(workspace: string | null, folder: () => Promise<string | null>, logger: Logger) {
    this.#workspace = workspace === null ? null : { path: workspace, id: idOf(workspace) };
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Records that this workspace needs an image; before it is looked for, so that nobody removes it in between. */
  add(key: string): Promise<void> {
    // Once, also where it fails: a full disk is no news at every call.
    const recorded = this.#recorded.get(key) ?? this.#record(key);
    this.#recorded.set(key, recorded);
    return recorded;
  }

  async #record(key: string): Promise<void> {
    const uses = this.#workspace === null ? null : await this.#folder();
    if (uses === null || this.#workspace === null) return;
    try {
      await writeRecord(join(uses, key), this.#workspace);
    } catch (error) {
      const told = { error: String(error) };
      this.#logger.warn(told, 'could not record that an image is needed; another workspace may remove it');
    }
  }

  async remove(key: string): Promise<void> {
    this.#recorded.delete(key);
    const uses = await this.#folder();
    if (uses === null || this.#workspace === null) return;
    try {
      await rm(join(uses, key, this.#workspace.id), { force: true });
    } catch (error) {
      this.#logger.warn({ error: String(error) }, 'could not take back that an image is needed; it stays');
    }
    await rmdir(join(uses, key)).catch(() => {}); // Others are in it, or it is gone.
  }

  /** Has this workspace need no other images than these. */
  async keepOnly(keys: ReadonlySet<string>): Promise<void> {
    const uses = await this.#folder();
    if (uses === null) return;
    for (const key of await namesIn(uses)) if (!keys.has(key)) await this.remove(key);
  }

  /** Removes the records of workspaces that are gone, and names these workspaces once. */
  async usersOf(key: string): Promise<ImageUsers> {
    const uses = await this.#folder();
    const users = { there: [] as string[], gone: [] as string[] };
    if (uses === null) return users;
    const others = (await namesIn(join(uses, key))).filter((id) => id !== this.#workspace?.id);
    for (const id of others.slice(0, MAX_WORKSPACES)) {
      const file = join(uses, key, id);
      const path = await readPath(file, id);
      if (path === null || !(await isGone(path))) users.there.push(path ?? UNKNOWN);
      else {
        users.gone.push(path);
        await rm(file, { force: true }).catch(() => {});
      }
    }
    return users;
  }
}

/** Whoever takes the last record out of a folder removes it, which may happen between the two steps here. */
const TRIES = 5;

async function writeRecord(folder: string, { path, id }: { path: string; id: string }): Promise<void> {
  const arriving = join(folder, `.${randomUUID()}`);
  for (let left = TRIES - 1; ; left--) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(arriving, path, { mode: 0o600, flag: 'wx' });
      return await rename(arriving, join(folder, id));
    } catch (error) {
      await rm(arriving, { force: true }).catch(() => {});
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function idOf(workspace: string): string {
  return createHash('sha256').update(workspace).digest('hex');
}

/** Files that are being written begin with a dot. */
async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !name.startsWith('.'));
}

/** `null` for what is no record: that is nothing to be removed by what it says. */
async function readPath(file: string, id: string): Promise<string | null> {
  try {
    const stats = await lstat(file);
    if (!stats.isFile() || stats.size > MAX_PATH_BYTES) return null;
    const path = await readFile(file, 'utf8');
    return isAbsolute(path) && idOf(path) === id ? path : null;
  } catch {
    return null;
  }
}

/** Only where that is sure: a folder that may not be looked at is there. */
async function isGone(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENOTDIR',
  );
}
