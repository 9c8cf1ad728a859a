import {
  type BigIntStats,
  chmodSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  open as openCallback,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { quotePath } from '../printable.ts';
import {
  closedOnError,
  type FileOptions,
  FOLDER_FLAGS,
  FolderDescriptor,
  IS_LINUX,
  isName,
  type Name,
  nameOf,
  O_PATH,
  toArguments,
} from './descriptor.ts';
import { isMissing, PathError, toPathError } from './path-error.ts';

const openLater = promisify(openCallback);

export interface FolderOptions {
  /** Whether entries are reached by the descriptor of their folder, and not by its path. @default on Linux */
  readonly byDescriptor?: boolean;
}

/**
 * A folder that is held open. Whatever is opened, made or removed in it is an entry of this very folder and never what a
 * link leads to, whoever renames or replaces the folders on the way to it meanwhile.
 *
 * Node has no `openat`, so an entry is reached as `/proc/self/fd/<descriptor>/<name>`; on Linux without `/proc` every use
 * throws `NO_PROC`. Elsewhere an entry is reached by the folder's path, and after it was opened that path has to lead to the
 * folder that is held: what somebody swaps, and swaps back in between, goes unseen there.
 */
export class Folder implements Disposable {
  /** Absolute, and without links when it was opened. For messages, and for `openResolved` later. */
  readonly path: string;
  readonly #descriptor: FolderDescriptor;
  readonly #byDescriptor: boolean;

  private constructor(descriptor: number, path: string, byDescriptor: boolean) {
    this.#descriptor = new FolderDescriptor(descriptor, path);
    this.path = path;
    this.#byDescriptor = byDescriptor;
  }

  /** A folder by the path that a person wrote: links on the way are followed, this once. @throws PathError */
  static open(path: string, { byDescriptor = IS_LINUX }: FolderOptions = {}): Folder {
    const written = resolve(path);
    try {
      return byDescriptor
        ? Folder.#hold(openSync(written, O_PATH | constants.O_DIRECTORY), null)
        : Folder.#holdByPath(realpathSync(written));
    } catch (error) {
      throw toPathError(error, written);
    }
  }

  /** A folder by a path that was resolved before: a link at any level is refused. @throws PathError */
  static openResolved(path: string, { byDescriptor = IS_LINUX }: FolderOptions = {}): Folder {
    const real = resolve(path);
    try {
      return byDescriptor ? Folder.#hold(openSync(real, FOLDER_FLAGS), real) : Folder.#holdByPath(real);
    } catch (error) {
      throw toPathError(error, real);
    }
  }

  /** The same, for a path that may be slow to open, such as one of a network. */
  static async openResolvedLater(path: string, options: FolderOptions = {}): Promise<Folder> {
    if (!(options.byDescriptor ?? IS_LINUX)) return Folder.openResolved(path, options);
    const real = resolve(path);
    try {
      return Folder.#hold(await openLater(real, FOLDER_FLAGS), real);
    } catch (error) {
      throw toPathError(error, real);
    }
  }

  /** The kernel itself says which folder was opened, so that nothing comes between resolving its path and opening it. */
  static #hold(descriptor: number, expected: string | null): Folder {
    return closedOnError(descriptor, () => {
      const real = nameOf(descriptor);
      // The name of a folder that was removed meanwhile has an addition.
      if (fstatSync(descriptor).nlink === 0) throw new PathError('ENOENT', expected ?? real);
      if (expected !== null && real !== expected) throw new PathError('LINK', expected);
      return new Folder(descriptor, real, true);
    });
  }

  static #holdByPath(real: string): Folder {
    if (realpathSync(real) !== real) throw new PathError('LINK', real);
    const descriptor = openSync(real, FOLDER_FLAGS);
    return closedOnError(descriptor, () => {
      const folder = new Folder(descriptor, real, false);
      folder.#assertReached();
      return folder;
    });
  }

  /** How an entry is named in calls of the file system, as long as this is open. They must not follow a link at its end. */
  at<N extends Name>(name: N): N {
    if (!isName(name)) throw new PathError('NOT_A_NAME', this.pathOf(name));
    const start = `${this.here}/`;
    return (typeof name === 'string' ? start + name : Buffer.concat([Buffer.from(start), name])) as N;
  }

  /** How the folder itself is named in a call that lists it. */
  get here(): string {
    const { number } = this.#descriptor;
    return this.#byDescriptor ? `/proc/self/fd/${number}` : this.path;
  }

  /** How an entry is named in a message. */
  pathOf(name: Name): string {
    return join(this.path, name.toString());
  }

  /** A sentence with the paths that a person knows, in the place of those that go through the descriptor. */
  explain(text: string): string {
    const written = quotePath(this.path).slice(1, -1);
    return text.replaceAll(`${this.here}/`, `${written}/`).replaceAll(`"${this.here}"`, `"${written}"`);
  }

  /** Its own facts, such as its owner and mode. */
  get stats(): BigIntStats {
    return fstatSync(this.#descriptor.number, { bigint: true });
  }

  /** The facts of an entry, also of a link itself; `null` where there is none. */
  statsOf(name: Name): BigIntStats | null {
    return this.#use(name, (path) => lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null);
  }

  /** @throws PathError `LINK` or `NOT_A_FOLDER` where it is one, or none */
  folder(name: Name): Folder {
    return this.#use(name, (path) => this.#toFolder(openSync(path, FOLDER_FLAGS), name));
  }

  async openFolder(name: Name): Promise<Folder> {
    return await this.use(name, async (path) => this.#toFolder(await openLater(path, FOLDER_FLAGS), name));
  }

  /** The folder of that name, made first where there is none. */
  makeFolder(name: Name, mode = 0o700): Folder {
    try {
      return this.newFolder(name, mode);
    } catch (error) {
      if (!(error instanceof PathError) || error.code !== 'EEXIST') throw error;
      return this.folder(name);
    }
  }

  /** One that was not there before, with this mode whatever the umask is. @throws PathError `EEXIST` */
  newFolder(name: Name, mode = 0o700): Folder {
    this.#use(name, (path) => mkdirSync(path, mode));
    const folder = this.folder(name);
    try {
      folder.#assertMade(mode);
      return folder;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** A descriptor of a regular file, which the caller closes. @throws PathError `LINK`, `NOT_A_FILE` or `HARD_LINK` */
  file(name: Name, options: FileOptions = {}): number {
    return this.#use(name, (path) => this.#toFile(openSync(path, ...toArguments(options)), name, options));
  }

  async openFile(name: Name, options: FileOptions = {}): Promise<number> {
    return await this.use(name, async (path) =>
      this.#toFile(await openLater(path, ...toArguments(options)), name, options),
    );
  }

  /** The target of a link; nothing is followed. @throws PathError `EINVAL` where it is none */
  readLink(name: Name): string {
    return this.#use(name, (path) => readlinkSync(path));
  }

  /** A link that was not there before. @throws PathError `EEXIST` */
  newLink(name: Name, target: string): void {
    this.#use(name, (path) => symlinkSync(target, path));
  }

  /** In one step. A link that has the new name is replaced and not followed. */
  rename(name: Name, to: Folder, newName: Name): void {
    this.#use(name, (path) => renameSync(path, to.at(newName)));
  }

  /** A file, or a link itself; one that is not there is fine. */
  remove(name: Name): void {
    if (this.statsOf(name) !== null) this.#use(name, (path) => unlinkSync(path));
  }

  /** Answers false where it is not empty, or not there. A link is no folder. */
  removeIfEmpty(name: Name): boolean {
    try {
      this.#use(name, (path) => rmdirSync(path));
      return true;
    } catch (error) {
      if (error instanceof PathError && ['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) return false;
      throw error;
    }
  }

  /** Whether its path still leads to it: nobody has moved it, or put something in its place. */
  get isInPlace(): boolean {
    const there = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    const { dev, ino } = this.stats;
    return there?.dev === dev && there.ino === ino;
  }

  /** Of the folder itself. */
  setMode(mode: number): void {
    chmodSync(this.here, mode);
  }

  /** Until this is disposed of, `at` and `here` stay this folder's, also when it is closed meanwhile. */
  hold(): Disposable {
    return this.#descriptor.hold();
  }

  /** Work that takes a while, with `at(name)`. */
  async use<T>(name: Name, work: (path: Name) => Promise<T>): Promise<T> {
    using _ = this.hold();
    try {
      return await work(this.at(name));
    } catch (error) {
      throw this.#toError(error, name);
    }
  }

  #use<T>(name: Name, work: (path: Name) => T): T {
    try {
      return work(this.at(name));
    } catch (error) {
      throw this.#toError(error, name);
    }
  }

  /** Fine to call twice. */
  [Symbol.dispose](): void {
    this.#descriptor[Symbol.dispose]();
  }

  #toFolder(descriptor: number, name: Name): Folder {
    return closedOnError(descriptor, () => {
      this.#assertReached();
      return new Folder(descriptor, this.pathOf(name), this.#byDescriptor);
    });
  }

  #toFile(descriptor: number, name: Name, { singleName = false }: FileOptions): number {
    return closedOnError(descriptor, () => {
      this.#assertReached();
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw new PathError('NOT_A_FILE', this.pathOf(name));
      if (singleName && stats.nlink > 1) throw new PathError('HARD_LINK', this.pathOf(name));
      return descriptor;
    });
  }

  #assertMade(mode: number): void {
    if (this.stats.uid !== BigInt(process.geteuid?.() ?? 0)) throw new PathError('NOT_OURS', this.path);
    this.setMode(mode);
  }

  /** Where entries are reached by its path: whether that leads to it. */
  #assertReached(): void {
    if (!this.#byDescriptor && !this.isInPlace) throw new PathError('CHANGED', this.path);
  }

  #toError(error: unknown, name: Name): PathError {
    if (error instanceof PathError) return error;
    // Is it the entry that is missing, or `/proc`?
    if (isMissing(error) && this.#byDescriptor) nameOf(this.#descriptor.number);
    return toPathError(error, this.pathOf(name), this.at(name));
  }
}
