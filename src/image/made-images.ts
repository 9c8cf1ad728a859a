import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Logger } from '../logger.ts';
import { isChangedByOthers } from './ownership.ts';

/** Engines with stores of different kinds have different ids for one image. */
const MAX_IDS = 8;
const MAX_LINE_CHARS = 100;

/** Of the user and not of a workspace: the images are in an engine that all of the user's workspaces share. */
export function madeImagesFolder(env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: state = '', HOME: home = '' } = env;
  const parent = isAbsolute(state) ? state : join(isAbsolute(home) ? home : homedir(), '.local/state');
  return join(parent, 'lurkbox/images');
}

/**
 * The ids of the images that this user's lurkbox has made, by their key. A tag or a label can be put on any image by whoever
 * may use the engine; an id is a hash of what is in the image. A file for each key, in a folder that nobody else can write
 * to; where there is none such, only this process remembers.
 */
export class MadeImages {
  readonly #folder: string | null;
  readonly #logger: Logger;
  readonly #known = new Map<string, readonly string[]>();
  #opened: Promise<string | null> | undefined;

  constructor(folder: string | null, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Newest first. */
  async idsOf(key: string): Promise<readonly string[]> {
    const kept = await this.#read(key);
    const own = this.#known.get(key) ?? [];
    return [...new Set([...own, ...kept])];
  }

  /** Where this user's records of images are; `null` where there is no place that is this user's alone. */
  folder(): Promise<string | null> {
    return this.#open();
  }

  async add(key: string, id: string): Promise<void> {
    const ids = [...new Set([id, ...(await this.idsOf(key))])].slice(0, MAX_IDS);
    this.#known.set(key, ids);
    const folder = await this.#open();
    if (folder === null) return;
    const arriving = join(folder, `.${key}-${process.pid}-${performance.now()}`);
    try {
      await writeFile(arriving, ids.map((one) => `${one}\n`).join(''), { mode: 0o600, flag: 'wx' });
      await rename(arriving, join(folder, key));
    } catch (error) {
      await rm(arriving, { force: true });
      this.#logger.warn(
        { error: String(error) },
        'could not remember an image that was made; another process makes it again',
      );
    }
  }

  async forget(key: string): Promise<void> {
    this.#known.delete(key);
    const folder = await this.#open();
    if (folder !== null) await rm(join(folder, key), { force: true });
  }

  async #read(key: string): Promise<string[]> {
    const folder = await this.#open();
    if (folder === null) return [];
    const text = await readFile(join(folder, key), 'utf8').catch(() => '');
    return text
      .slice(0, MAX_IDS * MAX_LINE_CHARS)
      .split('\n')
      .filter((line) => /^sha256:[0-9a-f]{64}$/.test(line));
  }

  #open(): Promise<string | null> {
    this.#opened ??= this.#tryOpen();
    return this.#opened;
  }

  async #tryOpen(): Promise<string | null> {
    if (this.#folder === null) return null;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const folder = await realpath(this.#folder);
      const fault = isChangedByOthers(folder);
      if (fault === null) return folder;
      this.#logger.warn(
        { fault },
        'images that were made are not remembered: others could change what is known of them',
      );
    } catch (error) {
      this.#logger.warn({ error: String(error) }, 'images that were made are not remembered');
    }
    return null;
  }
}
