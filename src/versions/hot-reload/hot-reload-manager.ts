import { access, constants, realpath, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import pLimit from 'p-limit';
import { LurkboxError } from '../../errors.ts';
import { type Logger, SILENT_LOGGER } from '../../logger.ts';
import { quotePath, quoteValue } from '../../printable.ts';
import type { Reloaded, Reloader } from './reloader.ts';
import { WatchedPath } from './watched-path.ts';
import type { Consequences } from './watched-plugin.ts';

/** Builds are work for the engine, which has calls to serve meanwhile. */
const RELOADS_AT_ONCE = 2;
const MAX_PATHS = 100;
const MAX_ENTRIES_OF_PATH = 100_000;
const MAX_DEBOUNCE_MS = 60_000;

/** A changed plugin that serves now. */
export interface HotReload extends Reloaded {
  /** From when the change had settled and its turn had come, until it served. */
  readonly reloadMs: number;
}

export interface HotReloadOptions {
  /** Puts the changed folders into service; `lurkbox.hotReload()` fills it in. */
  readonly reloader: Reloader;
  /** Any pino-shaped logger. @default silent */
  readonly logger?: Logger;
  /**
   * Milliseconds without a change after which a plugin is reloaded; one that is written to without a pause is after ten
   * times that.
   * @default 1000
   */
  readonly debounceMs?: number;
  /** Plugin folders, and folders that hold some. More can be added at any time. @default none */
  readonly watchPaths?: readonly string[];
  /** Told of each plugin that was reloaded. */
  readonly onReload?: (folder: string, reload: HotReload) => void;
  /** What cannot be reloaded, told once for each try; or a watched folder that cannot be watched any more. */
  readonly onError?: (folder: string, error: LurkboxError) => void;
  /** A folder that is no plugin any more, which the reloader has dealt with. */
  readonly onRemoved?: (folder: string) => void;
}

/**
 * Watches plugin folders, and has a plugin reloaded when its files have changed and settled. What it finds when it begins
 * to watch counts as changed: the reloader answers `null` for what it has already.
 *
 * Links below a watched folder are not followed. While it runs, it keeps the process alive.
 */
export class HotReloadManager implements AsyncDisposable {
  readonly #options: Required<HotReloadOptions>;
  readonly #limit = pLimit(RELOADS_AT_ONCE);
  /** By real path, as they were added. */
  readonly #roots = new Map<string, string>();
  readonly #watched = new Map<string, WatchedPath>();
  #toAdd: readonly string[];
  #isRunning = false;

  /** @throws LurkboxError `OPTIONS_INVALID` */
  constructor(options: HotReloadOptions) {
    this.#options = {
      logger: SILENT_LOGGER,
      debounceMs: 1000,
      watchPaths: [],
      onReload: () => {},
      onError: () => {},
      onRemoved: () => {},
      ...options,
    };
    this.#toAdd = this.#options.watchPaths;
    assertDebounce(this.#options.debounceMs);
  }

  /** Absolute, with every link on the way resolved, in the order in which they were added. */
  get paths(): readonly string[] {
    return [...this.#roots.keys()];
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * Resolves when everything is watched. Once it was stopped, it can be started again.
   * @throws LurkboxError what `addPath` throws; nothing is watched then
   */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.#closeAll();
      for (const path of this.#toAdd) await this.#register(path);
      await Promise.all(this.paths.map((root) => this.#open(root)));
      this.#toAdd = [];
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Watches a plugin folder, or every plugin in a folder that holds some, also those that come later. Which of the two it
   * is, `plugin.json` says. Resolves when it is watched; before `start`, when it is noted. What is watched already stays so.
   * @throws LurkboxError `PLUGIN_NOT_FOUND` when there is no such folder; `OPTIONS_INVALID` when it is inside of one that is
   * watched or the other way round, or holds too much, or there are too many; `HOST_RESOURCES` when the system has no
   * watches left
   */
  async addPath(folder: string): Promise<void> {
    await this.#open(await this.#register(folder));
  }

  /**
   * Watches it no longer; what is loaded from it stays loaded. Waits for a reload under way, which is told to end. Answers
   * false when it was not watched.
   */
  async removePath(folder: string): Promise<boolean> {
    const root = this.#rootOf(folder, await realpath(folder).catch(() => null));
    if (root === null) return false;
    this.#roots.delete(root);
    await this.#close(root);
    return true;
  }

  /** No reload begins from the call on; what is under way is told to end, and waited for. Fine to call twice. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#closeAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #register(folder: string): Promise<string> {
    const root = await resolveFolder(folder);
    if (this.#roots.has(root)) return root;
    this.#assertRoomFor(root);
    this.#roots.set(root, resolve(folder));
    return root;
  }

  #assertRoomFor(root: string): void {
    const near = this.paths.find((other) => isBelow(root, other) || isBelow(other, root));
    if (near !== undefined) {
      const message = `${quotePath(root)} cannot be watched beside ${quotePath(near)}: one is inside of the other, and a plugin has one watcher.`;
      throw new LurkboxError('OPTIONS_INVALID', message);
    }
    if (this.#roots.size >= MAX_PATHS) {
      const message = `Expected at most ${MAX_PATHS} folders to watch; watch the one that they are in.`;
      throw new LurkboxError('OPTIONS_INVALID', message);
    }
  }

  async #open(root: string): Promise<void> {
    if (!this.#isRunning || !this.#roots.has(root)) return;
    // Two watchers of one folder could have it reloaded twice at once.
    if (this.#watched.get(root)?.isClosed) {
      await this.#close(root);
      return this.#open(root);
    }
    const path = this.#watched.get(root) ?? this.#createPath(root);
    this.#watched.set(root, path);
    try {
      await path.open();
    } catch (error) {
      this.#roots.delete(root);
      await this.#close(root);
      throw error;
    }
  }

  #createPath(root: string): WatchedPath {
    return new WatchedPath(root, {
      ...this.#options,
      limit: this.#limit,
      maxEntries: MAX_ENTRIES_OF_PATH,
      consequences: this.#consequences,
      lost: (error) => this.#lose(root, error),
    });
  }

  async #close(root: string): Promise<void> {
    const path = this.#watched.get(root);
    await path?.close();
    if (this.#watched.get(root) === path) this.#watched.delete(root);
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#watched.keys()].map((root) => this.#close(root)));
  }

  #lose(root: string, error: LurkboxError): void {
    this.#roots.delete(root);
    void this.#close(root);
    this.#consequences.failed(root, error);
  }

  readonly #consequences: Consequences = {
    reloaded: (folder, reloaded, reloadMs) =>
      this.#tell(() => this.#options.onReload(folder, { ...reloaded, reloadMs })),
    failed: (folder, error) => this.#tell(() => this.#options.onError(folder, error)),
    removed: (folder) => {
      // A folder that was renamed may have been refused because its name was taken.
      for (const path of this.#watched.values()) path.retry();
      this.#tell(() => this.#options.onRemoved(folder));
    },
  };

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.logger.error({ error }, 'a listener of the hot reload threw');
    }
  }

  /** A folder that is gone has no real path any more. */
  #rootOf(folder: string, real: string | null): string | null {
    const given = resolve(folder);
    const found = [...this.#roots].find(([root, added]) => root === (real ?? given) || added === given);
    return found?.[0] ?? null;
  }
}

async function resolveFolder(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    await access(root, constants.R_OK | constants.X_OK);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    const message = `There is no folder ${quotePath(folder)} that can be read.`;
    throw new LurkboxError('PLUGIN_NOT_FOUND', message, { cause });
  }
  throw new LurkboxError('PLUGIN_NOT_FOUND', `${quotePath(folder)} is not a folder that can be watched.`);
}

function isBelow(path: string, parent: string): boolean {
  return path.startsWith(parent.endsWith(sep) ? parent : `${parent}${sep}`);
}

function assertDebounce(debounceMs: number): void {
  if (Number.isInteger(debounceMs) && debounceMs >= 1 && debounceMs <= MAX_DEBOUNCE_MS) return;
  const message = `expected a whole number from 1 to ${MAX_DEBOUNCE_MS}, got ${quoteValue(debounceMs)}`;
  throw new LurkboxError('OPTIONS_INVALID', 'The options of the hot reload are not usable.', {
    problems: [{ path: 'debounceMs', message }],
  });
}
