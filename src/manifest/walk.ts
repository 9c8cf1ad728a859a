import { closeSync, fstatSync } from 'node:fs';
import pLimit from 'p-limit';
import type { Problem } from '../errors.ts';
import { escapeControls } from '../printable.ts';
import { type Entry, readEntries } from '../storage/entries.ts';
import type { Folder } from '../storage/folder.ts';
import { PathError } from '../storage/path-error.ts';
import { FileChangedError } from './changed.ts';
import { hashFile, type PluginFile, type PluginLink } from './digest.ts';
import {
  HARD_LINK,
  hardLinkOfAStore,
  kindFault,
  LINK_TOO_LONG,
  NOTHING_VENDORED,
  nameFault,
} from './entry-faults.ts';
import { resolveLinks } from './links.ts';
import { isContent } from './no-content.ts';
import { NOT_VENDORED, VENDORED_DEPTH, VENDORED_PATH_BYTES, type VendoredLimits } from './vendored.ts';

const MAX_ENTRIES = 2000;
export const MAX_DEPTH = 32;
export const MAX_TOTAL_BYTES = 32 * 1024 * 1024;

/** Entries that are looked at in a folder and below it, whether they are content or not. */
const MAX_LISTED = 20_000;

const PACKAGES = 'node_modules';
/** Not part of a plugin, unless it brings its packages along: dependencies are installed from the manifest. */
export const SKIPPED_AT_TOP: readonly string[] = [PACKAGES];

const FILES_AT_ONCE = 8;

export interface Walk {
  /** Sorted by path. */
  readonly files: readonly PluginFile[];
  /** Sorted by path. */
  readonly links: readonly PluginLink[];
  readonly problems: readonly Problem[];
}

export interface WalkOptions {
  /** `all`: what systems and editors drop counts too, as it did in versions that earlier releases installed. @default content */
  readonly names?: 'content' | 'all';
  /** Bounds of `node_modules`, where that is part of the plugin. @default it is not */
  readonly vendored?: VendoredLimits | null;
}

/** What may lie in a part of the folder, and how much of it was found. */
interface Budget {
  readonly isVendored: boolean;
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** What to do where a file is too large, for the message. */
  readonly what: string;
  readonly raise: string;
  listed: number;
  entries: number;
  bytes: number;
}

/**
 * Every file of a plugin folder with its hash. A folder is listed, and its files are opened, while it is held open: what
 * is put in its place meanwhile is not seen, and no link is followed. Stops at the first bound that is broken, because a
 * folder can be made without an end. At most one folder of each level and eight files are open.
 * @throws FileChangedError when something is no longer what it was when its folder was listed
 */
export async function walkFolder(
  root: Folder,
  { names = 'content', vendored = null }: WalkOptions = {},
): Promise<Walk> {
  const walker = new Walker(names, vendored);
  try {
    await walker.visit(root, '');
    return walker.finish(root.path);
  } catch (error) {
    if (!(error instanceof BrokenBoundError)) throw error;
    return { files: [], links: [], problems: [...walker.problems, { path: '', message: error.message }] };
  }
}

/** Ends the walk at once; its message is the problem. */
class BrokenBoundError extends Error {}

class Walker {
  readonly #files: PluginFile[] = [];
  readonly problems: Problem[] = [];
  /** What links say, by path. */
  readonly #links = new Map<string, string>();
  /** Paths of files with several names, by what they are. */
  readonly #sharedNames = new Map<string, { count: number; paths: string[] }>();
  readonly #limit = pLimit(FILES_AT_ONCE);
  readonly #names: 'content' | 'all';
  readonly #own: Budget = {
    isVendored: false,
    maxEntries: MAX_ENTRIES,
    maxBytes: MAX_TOTAL_BYTES,
    maxDepth: MAX_DEPTH,
    what: '',
    raise: '',
    listed: 0,
    entries: 0,
    bytes: 0,
  };
  readonly #vendored: Budget | null;

  constructor(names: 'content' | 'all', vendored: VendoredLimits | null) {
    this.#names = names;
    this.#vendored = vendored && {
      ...this.#own,
      ...vendored,
      isVendored: true,
      maxDepth: VENDORED_DEPTH,
      what: 'its `node_modules` ',
      raise: '; leave out packages for developing, or raise `vendored` in the policy',
    };
  }

  async visit(folder: Folder, parent: string): Promise<void> {
    const budget = this.#budgetOf(parent);
    const { files, folders } = await this.#list(folder, parent, budget);
    await allDone(files.map((name) => this.#limit(() => this.#read(folder, name, parent + name, budget))));
    for (const name of folders) {
      const path = parent + name;
      using inner = await folder.openFolder(name).catch((error: unknown) => throwChanged(path, error));
      await this.visit(inner, `${path}/`);
    }
  }

  /** What was found, with links as what they lead to. */
  finish(root: string): Walk {
    if (this.#vendored !== null && this.#vendored.listed === 0)
      this.problems.push({ path: PACKAGES, message: NOTHING_VENDORED });
    this.#refuseSharedNames();
    const { copies, links, problems } = resolveLinks(this.#links, this.#files, root);
    for (const { sizeBytes } of copies) this.#count(sizeBytes, this.#vendored ?? this.#own);
    return {
      files: [...this.#files, ...copies].sort(byPathBytes),
      links: [...links].sort(byPathBytes),
      problems: [...this.problems, ...problems].sort(byPathBytes),
    };
  }

  #budgetOf(parent: string): Budget {
    return (parent.startsWith(`${PACKAGES}/`) && this.#vendored) || this.#own;
  }

  /** Names of the files and folders in it that may be part of a plugin. */
  async #list(
    folder: Folder,
    parent: string,
    budget: Budget,
  ): Promise<{ files: string[]; folders: string[] }> {
    const files: string[] = [];
    const folders: string[] = [];
    const { what, raise } = budget;
    for await (const { name: bytes, kind } of readEntries(folder)) {
      const name = bytes.toString();
      const path = parent + name;
      const maxListed = Math.max(MAX_LISTED, budget.maxEntries * 2);
      if (++budget.listed > maxListed)
        throw new BrokenBoundError(
          `${what}holds more than ${maxListed} entries, files that systems and editors drop among them`,
        );
      if (this.#isLeftOut(name, kind, parent, budget)) continue;
      const isPackedLink = kind === 'link' && budget.isVendored;
      const fault = nameFault(bytes) ?? (isPackedLink ? null : kindFault(kind));
      if (fault !== null) this.problems.push({ path: escapeControls(path), message: fault });
      else if (isPackedLink) this.#noteLink(path, readLinkOf(folder, name, path));
      else (kind === 'folder' ? folders : files).push(name);
      budget.entries++;
      if (budget.entries > budget.maxEntries)
        throw new BrokenBoundError(`${what}holds more than ${budget.maxEntries} files and folders${raise}`);
      if (path.split('/').length > budget.maxDepth)
        throw new BrokenBoundError(`${what}is nested deeper than ${budget.maxDepth} levels`);
      if (budget.isVendored && Buffer.byteLength(path) > VENDORED_PATH_BYTES)
        throw new BrokenBoundError(`${what}has a path of more than ${VENDORED_PATH_BYTES} bytes`);
    }
    return { files, folders };
  }

  #isLeftOut(name: string, kind: Entry['kind'], parent: string, { isVendored }: Budget): boolean {
    if (parent === '' && SKIPPED_AT_TOP.includes(name) && this.#vendored === null) return true;
    if (isVendored && parent.endsWith(`${PACKAGES}/`) && NOT_VENDORED.includes(name)) return true;
    return this.#names === 'content' && !isContent(name, { kind, isAtTop: parent === '' });
  }

  /** A target that is longer than any of a package is not kept: as many links as there may be would fill the memory. */
  #noteLink(path: string, text: string): void {
    if (Buffer.byteLength(text) <= VENDORED_PATH_BYTES) this.#links.set(path, text);
    else this.problems.push({ path: escapeControls(path), message: LINK_TOO_LONG });
  }

  async #read(folder: Folder, name: string, path: string, budget: Budget): Promise<void> {
    const descriptor = await folder.openFile(name).catch((error: unknown) => throwChanged(path, error));
    try {
      const { size, nlink, dev, ino } = fstatSync(descriptor, { bigint: true });
      // The other name may belong to another user, who can change the content through it.
      if (nlink > 1n && !budget.isVendored) this.problems.push({ path, message: HARD_LINK });
      else if (nlink > 1n) this.#noteName(`${dev}:${ino}`, Number(nlink), path);
      this.#count(Number(size), budget);
      // A refused file need not be read.
      if (this.problems.length === 0) this.#files.push(await hashFile(descriptor, path));
    } finally {
      closeSync(descriptor);
    }
  }

  /** In packages that are brought along a file may have several names, where all of them are there. */
  #noteName(id: string, count: number, path: string): void {
    const known = this.#sharedNames.get(id);
    if (known === undefined) this.#sharedNames.set(id, { count, paths: [path] });
    else known.paths.push(path);
  }

  /** All have the same reason and the same remedy, so one problem names them all. */
  #refuseSharedNames(): void {
    const shared = [...this.#sharedNames.values()].filter(({ count, paths }) => paths.length < count);
    const [path, ...others] = shared.flatMap(({ paths }) => paths).sort();
    if (path !== undefined) this.problems.push({ path, message: hardLinkOfAStore(others.length) });
  }

  #count(bytes: number, budget: Budget): void {
    budget.bytes += bytes;
    if (budget.bytes > budget.maxBytes)
      throw new BrokenBoundError(
        `${budget.what}holds more than ${budget.maxBytes / 1024 / 1024} MiB of files${budget.raise}`,
      );
  }
}

function readLinkOf(folder: Folder, name: string, path: string): string {
  try {
    return folder.readLink(name);
  } catch (error) {
    // It was a link when its folder was listed.
    if (error instanceof PathError && error.code === 'EINVAL') throw new FileChangedError(path);
    throwChanged(path, error);
  }
}

/** Like `Promise.all`, and nothing of it goes on when it throws. */
async function allDone(works: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** The listing of a folder named its files and folders. Anything else was put there after that. */
function throwChanged(path: string, error: unknown): never {
  const isOther = error instanceof PathError && OTHER_THAN_LISTED.has(error.code);
  throw isOther ? new FileChangedError(path) : error;
}

const OTHER_THAN_LISTED: ReadonlySet<string> = new Set([
  'LINK',
  'NOT_A_FILE',
  'NOT_A_FOLDER',
  'CHANGED',
  'ENOENT',
  // A socket or device cannot be opened so.
  'ENXIO',
  'ENODEV',
]);

function byPathBytes(a: { path: string }, b: { path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
