import { existsSync, type Stats } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { FSWatcher, watch as Watch } from 'chokidar';
import { LurkboxError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { MANIFEST_FILE } from '../../manifest/load.ts';
import { isContentPath } from '../../manifest/no-content.ts';
import { MAX_DEPTH, SKIPPED_AT_TOP } from '../../manifest/walk.ts';
import { quotePath } from '../../printable.ts';
import { WatchedPlugin, type WatchedPluginOptions } from './watched-plugin.ts';

export interface WatchedPathOptions extends Omit<WatchedPluginOptions, 'signal' | 'forget'> {
  readonly logger: Logger;
  /** Files and folders: their names are held in memory, and each folder is a watch of the system. */
  readonly maxEntries: number;
  /** Told when it cannot be watched any more. */
  readonly lost: (error: LurkboxError) => void;
}

/**
 * One folder that is watched, a plugin or one that holds plugins, with what is known of the plugins in it. What is there
 * at first counts as changed, so that nothing falls between loading a plugin and watching it.
 */
export class WatchedPath {
  readonly #root: string;
  readonly #options: WatchedPathOptions;
  readonly #controller = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #plugins = new Map<string, WatchedPlugin>();
  #watch: typeof Watch | undefined;
  #watcher: FSWatcher | undefined;
  #isPlugin: boolean;
  #entries = 0;
  #isOpen = false;

  /** `root` is absolute, with every link on the way to it resolved. */
  constructor(root: string, options: WatchedPathOptions) {
    this.#root = root;
    this.#options = options;
    this.#isPlugin = existsSync(join(root, MANIFEST_FILE));
  }

  /**
   * Resolves when everything in it is watched, or when it was closed before. Fine to call twice.
   * @throws LurkboxError `HOST_RESOURCES` or `OPTIONS_INVALID` when it cannot be watched
   */
  async open(): Promise<void> {
    // Loaded when something is watched: a process that watches nothing should not wait for it.
    this.#watch = (await import('chokidar')).watch;
    if (!this.isClosed) this.#watcher ??= this.#begin(this.#watch);
    await this.#opened.promise;
  }

  get isClosed(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Tries again what could not be reloaded. */
  retry(): void {
    for (const plugin of this.#plugins.values()) plugin.retry();
  }

  /** Resolves when nothing is under way; nothing begins from the call on. Fine to call twice. */
  async close(): Promise<void> {
    this.#controller.abort();
    this.#opened.resolve();
    await Promise.all([
      this.#watcher?.close(),
      ...[...this.#plugins.values()].map((plugin) => plugin.stop()),
    ]);
  }

  #begin(watch: typeof Watch): FSWatcher {
    return watch(this.#root, {
      ignored: (path, stats) => this.#isIgnored(path, stats),
      followSymlinks: false,
      // One level more than a plugin may have, so that taking away what is too deep is seen.
      depth: this.#isPlugin ? MAX_DEPTH : MAX_DEPTH + 1,
      // What cannot be read fails when the plugin is loaded, which says so.
      ignorePermissionErrors: true,
      // Saves are put together here, by plugin.
      atomic: false,
    })
      .on('all', (event, path) => this.#see(event, path))
      .on('error', (error) => this.#fail(error))
      .on('ready', () => {
        this.#isOpen = true;
        this.#opened.resolve();
      });
  }

  #isIgnored(path: string, stats: Stats | undefined): boolean {
    const parts = this.#partsOf(path);
    if (parts === null) return true;
    if (!this.#isPlugin && (parts[0]?.startsWith('.') || SKIPPED_AT_TOP.includes(parts[0] ?? '')))
      return true;
    if (SKIPPED_AT_TOP.includes(this.#inPlugin(parts)[0] ?? '')) return true;
    // What it is decides whether it counts; before it was looked at only what is on the way to it can be judged.
    return stats === undefined
      ? !this.#isContent(parts.slice(0, -1), true)
      : !this.#isContent(parts, stats.isDirectory());
  }

  #isContent(parts: readonly string[], isFolder: boolean): boolean {
    return isContentPath(this.#inPlugin(parts).join('/'), isFolder ? 'folder' : 'file');
  }

  #inPlugin(parts: readonly string[]): readonly string[] {
    return this.#isPlugin ? parts : parts.slice(1);
  }

  #see(event: string, path: string): void {
    const parts = this.#partsOf(path);
    if (parts === null || this.isClosed) return;
    if (event.startsWith('add')) this.#entries++;
    if (event.startsWith('unlink')) this.#entries--;
    const { maxEntries } = this.#options;
    if (this.#entries > maxEntries) this.#lose(tooManyEntries(this.#root, maxEntries));
    else if (event === 'add' && this.#turnsOutToBePlugin(parts)) this.#becomePlugin();
    else if (this.#isContent(parts, event.endsWith('Dir'))) this.#change(parts);
    if (event === 'add') this.#noteManifest(parts);
  }

  #noteManifest(parts: readonly string[]): void {
    const [first = '', ...rest] = parts;
    if (this.#isPlugin && first === MANIFEST_FILE && rest.length === 0) this.#pluginIn(this.#root).isThere();
    else if (!this.#isPlugin && rest.length === 1 && rest[0] === MANIFEST_FILE)
      this.#pluginIn(join(this.#root, first)).isThere();
  }

  #change([first]: readonly string[]): void {
    if (this.#isPlugin) this.#pluginIn(this.#root).changed();
    else if (first !== undefined) this.#pluginIn(join(this.#root, first)).changed();
    else for (const plugin of this.#plugins.values()) plugin.changed();
  }

  #turnsOutToBePlugin([first, ...rest]: readonly string[]): boolean {
    if (this.#isPlugin || first !== MANIFEST_FILE || rest.length > 0) return false;
    return ![...this.#plugins.values()].some(({ isKnown }) => isKnown);
  }

  /** Other folders are left out in a plugin than in a folder of plugins, so it is looked through anew. */
  #becomePlugin(): void {
    this.#isPlugin = true;
    this.#entries = 0;
    this.#watcher?.close();
    if (this.#watch !== undefined) this.#watcher = this.#begin(this.#watch);
  }

  #pluginIn(folder: string): WatchedPlugin {
    const known = this.#plugins.get(folder);
    if (known !== undefined) return known;
    const forget = () => this.#plugins.delete(folder);
    const plugin = new WatchedPlugin(folder, { ...this.#options, forget, signal: this.#controller.signal });
    this.#plugins.set(folder, plugin);
    return plugin;
  }

  #fail(error: unknown): void {
    const exhausted = watchesExhausted(this.#root, error);
    if (exhausted !== null) this.#lose(exhausted);
    else this.#options.logger.warn({ folder: this.#root, error }, 'part of a watched folder cannot be seen');
  }

  /** Gives up the whole folder, because changes in the part that is not watched would be missed. */
  #lose(error: LurkboxError): void {
    if (this.isClosed) return;
    if (this.#isOpen) this.#options.lost(error);
    else this.#opened.reject(error);
    void this.close();
  }

  /** The names on the way to a path, or `null` for a path outside: the way to a folder that is gone is watched too. */
  #partsOf(path: string): string[] | null {
    const parts = relative(this.#root, path).split(sep);
    return parts[0] === '..' ? null : parts.filter((part) => part !== '');
  }
}

/** What the system can run out of, and what raises it. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC:
    'no file watch left: raise `fs.inotify.max_user_watches` (as root: sysctl fs.inotify.max_user_watches=524288)',
  EMFILE:
    'no open file left for this process or user: raise `ulimit -n`, and `fs.inotify.max_user_instances` (as root: sysctl fs.inotify.max_user_instances=512)',
};

/** For an error of watching a folder; `null` when it is another one than that the system has run out of something. */
export function watchesExhausted(folder: string, cause: unknown): LurkboxError | null {
  const remedy = REMEDIES[String((cause as NodeJS.ErrnoException | null)?.code)];
  if (remedy === undefined) return null;
  const message = `${quotePath(folder)} cannot be watched: the system has ${remedy}, or watch fewer folders.`;
  return new LurkboxError('HOST_RESOURCES', message, { cause });
}

function tooManyEntries(folder: string, most: number): LurkboxError {
  const message = `${quotePath(folder)} cannot be watched: it holds more than ${most} files and folders. Watch the plugin folders in it one by one.`;
  return new LurkboxError('OPTIONS_INVALID', message);
}
