import { closeSync, fstatSync } from 'node:fs';
import pLimit from 'p-limit';
import type { Problem } from '../errors.ts';
import { harmless, isPlainText } from '../printable.ts';
import { type Entry, readEntries } from '../storage/entries.ts';
import type { Folder } from '../storage/folder.ts';
import { PathError } from '../storage/path-error.ts';
import { FileChangedError } from './changed.ts';
import { hashFile, type PluginFile } from './digest.ts';
import { isContent } from './no-content.ts';

export const MAX_ENTRIES = 2000;
export const MAX_DEPTH = 32;
export const MAX_TOTAL_BYTES = 32 * 1024 * 1024;

/** Entries that are looked at in a folder and the folders in it, whether they count or not. */
const MAX_LISTED = 20_000;

/** Not part of a plugin: dependencies are installed from the manifest. */
export const SKIPPED_AT_TOP: readonly string[] = ['node_modules'];

const FILES_AT_ONCE = 8;

export interface Walk {
  /** Sorted by path. */
  readonly files: readonly PluginFile[];
  readonly problems: readonly Problem[];
}

export interface WalkOptions {
  /** `all`: what systems and editors drop counts too, as it did in versions that earlier releases installed. @default content */
  readonly names?: 'content' | 'all';
}

/**
 * Every file of a plugin folder with its hash. A folder is listed, and its files are opened, while it is held open: what
 * is put in its place meanwhile is not seen, and no link is followed. Stops at the first bound that is broken, because a
 * folder can be made without an end. At most one folder of each level and eight files are open.
 * @throws FileChangedError when something is no longer what it was when its folder was listed
 */
export async function walkFolder(root: Folder, { names = 'content' }: WalkOptions = {}): Promise<Walk> {
  const walker = new Walker(names);
  try {
    await walker.visit(root, '');
  } catch (error) {
    if (!(error instanceof BrokenBoundError)) throw error;
    return { files: [], problems: [...walker.problems, { path: '', message: error.message }] };
  }
  return { files: walker.files.sort(byPathBytes), problems: walker.problems.sort(byPathBytes) };
}

/** Ends the walk at once; its message is the problem. */
class BrokenBoundError extends Error {}

class Walker {
  readonly files: PluginFile[] = [];
  readonly problems: Problem[] = [];
  readonly #limit = pLimit(FILES_AT_ONCE);
  readonly #names: 'content' | 'all';
  #listed = 0;
  #entries = 0;
  #bytes = 0;

  constructor(names: 'content' | 'all') {
    this.#names = names;
  }

  async visit(folder: Folder, parent: string): Promise<void> {
    const { files, folders } = await this.#list(folder, parent);
    await allDone(files.map((name) => this.#limit(() => this.#read(folder, name, parent + name))));
    for (const name of folders) {
      const path = parent + name;
      using inner = await folder.openFolder(name).catch((error: unknown) => throwChanged(path, error));
      await this.visit(inner, `${path}/`);
    }
  }

  /** Names of the files and folders in it that may be part of a plugin. */
  async #list(folder: Folder, parent: string): Promise<{ files: string[]; folders: string[] }> {
    const files: string[] = [];
    const folders: string[] = [];
    for await (const { name: bytes, kind } of readEntries(folder)) {
      const name = bytes.toString();
      if (++this.#listed > MAX_LISTED)
        throw new BrokenBoundError(
          `holds more than ${MAX_LISTED} entries, files that systems and editors drop among them`,
        );
      if (parent === '' && SKIPPED_AT_TOP.includes(name)) continue;
      if (this.#names === 'content' && !isContent(name, { kind, isAtTop: parent === '' })) continue;
      const fault = nameFault(bytes) ?? kindFault(kind);
      if (fault !== null) this.problems.push({ path: harmless(parent + name), message: fault });
      else (kind === 'folder' ? folders : files).push(name);
      this.#entries++;
      if (this.#entries > MAX_ENTRIES)
        throw new BrokenBoundError(`holds more than ${MAX_ENTRIES} files and folders`);
      if ((parent + name).split('/').length > MAX_DEPTH)
        throw new BrokenBoundError(`is nested deeper than ${MAX_DEPTH} levels`);
    }
    return { files, folders };
  }

  async #read(folder: Folder, name: string, path: string): Promise<void> {
    const descriptor = await folder.openFile(name).catch((error: unknown) => throwChanged(path, error));
    try {
      const { size, nlink } = fstatSync(descriptor);
      // Its content may have been written for somebody else, and whoever has the other name can change it.
      if (nlink > 1) this.problems.push({ path, message: HARD_LINK });
      this.#bytes += size;
      if (this.#bytes > MAX_TOTAL_BYTES)
        throw new BrokenBoundError(`holds more than ${MAX_TOTAL_BYTES / 1024 / 1024} MiB of files`);
      // What is refused need not be read.
      if (this.problems.length === 0) this.files.push(await hashFile(descriptor, path));
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Like `Promise.all`, and nothing of it goes on when it throws. */
async function allDone(works: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** When a folder is listed, what is in it is told. Whatever else is met then was put there since. */
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

const HARD_LINK = 'has another name elsewhere (a hard link); copy the file';

function nameFault(name: Buffer): string | null {
  const text = name.toString();
  if (!Buffer.from(text).equals(name)) return 'the name is not valid UTF-8; rename it';
  if (!isPlainText(text)) return 'the name has a control or invisible character; rename it';
  if (text.includes('\\')) return 'the name has a backslash; rename it';
  if (text.startsWith('.wh.')) return 'the name would delete another file in an image layer; rename it';
  return null;
}

function kindFault(kind: Entry['kind']): string | null {
  if (kind === 'folder' || kind === 'file') return null;
  return kind === 'link'
    ? 'is a symbolic link; a plugin folder may hold files and folders only'
    : 'is a pipe, socket or device; a plugin folder may hold files and folders only';
}

function byPathBytes(a: { path: string }, b: { path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
