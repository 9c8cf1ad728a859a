import { join } from 'node:path';
import { LurkboxError } from '../../errors.ts';
import { compareContents, describeDifferences } from '../../manifest/content-differences.ts';
import { type LoadedPlugin, loadPlugin, toLocked } from '../../manifest/load.ts';
import { readPluginFiles } from '../../manifest/read-files.ts';
import { VENDORED_CEILING, VENDORED_LIMITS, type VendoredLimits } from '../../manifest/vendored.ts';
import { quotePath } from '../../printable.ts';
import { Descent, makeBelow, openBelow } from '../../storage/descent.ts';
import { entriesIn } from '../../storage/entries.ts';
import { streamNewFile, writeNewFile } from '../../storage/files.ts';
import { Folder } from '../../storage/folder.ts';
import { isMissing, PathError } from '../../storage/path-error.ts';
import { removeTree } from '../../storage/remove-tree.ts';
import { createTempFolder, createTempFolderNow } from '../../storage/temp-folder.ts';
import type { InstalledVersion } from '../registry/record.ts';

/** Below the state folder: `plugins/<name>/<version>/<digest of the files>/`; older ones have the first 16 digits of it. */
const FILES_FOLDER = 'plugins';
/** Beside it: files whose records were lost. */
const ORPHANS_FOLDER = 'plugins-without-record';
/** Instead of a folder of lurkbox's own, where nothing is copied. */
const IN_PLACE = 'in-place';

/** Files of a version on their way into the workspace; disposing removes what was not placed. */
export interface StagedFiles extends AsyncDisposable {
  /** Where they will be, as a record names it. */
  readonly folder: string;
  /** Puts them there, in one step. Only under the write lock of the registry, together with their record. */
  place(): void;
}

/** Where the files of installed versions are. */
export interface PluginFiles {
  stage(plugin: LoadedPlugin): Promise<StagedFiles>;
  /** @throws LurkboxError `MANIFEST_INVALID` when the files are not any more what was installed */
  read(version: InstalledVersion): Promise<LoadedPlugin>;
  /** Only after its record is gone: they are out of the way at once, and resolves when nothing is left of them. */
  remove(version: Pick<InstalledVersion, 'folder' | 'content'>): Promise<void>;
  /**
   * Takes away folders that no record names, and answers where they were: what a killed process left is removed, and where
   * records were lost (`keep`) all is put aside. Only under the write lock of the registry.
   */
  sweep(known: ReadonlySet<string>, options: { keep: boolean }): readonly string[];
}

/**
 * Copies, so that what was installed stays what it is whatever happens to the folder that it came from. Below the state folder
 * no link is followed: one that is met there ends what goes on, and nothing of what it leads to is touched.
 */
export class CopiedFiles implements PluginFiles {
  readonly #stateFolder: string;

  /** An absolute path without links. */
  constructor(stateFolder: string) {
    this.#stateFolder = stateFolder;
  }

  async stage(plugin: LoadedPlugin): Promise<StagedFiles> {
    const temp = await createTempFolder(this.#stateFolder);
    try {
      using files = temp.folder.newFolder(STAGED);
      using descent = new Descent(files, { makes: true });
      for await (const { path, content } of readPluginFiles(plugin)) {
        const { folder, name } = await descent.to(path);
        if (Buffer.isBuffer(content)) writeNewFile(folder, name, content);
        else await streamNewFile(folder, name, content.stream);
      }
      for (const { path, target } of plugin.links) {
        const { folder, name } = await descent.to(path);
        folder.newLink(name, target);
      }
    } catch (error) {
      await temp[Symbol.asyncDispose]();
      throw error;
    }
    const folder = folderOf(plugin);
    return {
      folder,
      place: () => this.#inState((state) => moveTo(temp.folder, STAGED, state, folder.split('/'))),
      [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
    };
  }

  async read(version: InstalledVersion): Promise<LoadedPlugin> {
    return readUnchanged(version, join(this.#stateFolder, version.folder), VENDORED_CEILING);
  }

  // A copy can hold a `node_modules`: whoever waits for the write lock does not wait until all of it is gone.
  remove({ folder }: Pick<InstalledVersion, 'folder'>): Promise<void> {
    const temp = createTempFolderNow(this.#stateFolder);
    try {
      this.#inState((state) => moveOut(state, folder.split('/'), temp.folder));
    } catch (error) {
      void temp[Symbol.asyncDispose]();
      throw error;
    }
    return Promise.resolve(temp[Symbol.asyncDispose]());
  }

  sweep(known: ReadonlySet<string>, { keep }: { keep: boolean }): readonly string[] {
    return this.#inState((state) => {
      const orphans = copiesIn(state).filter((names) => !known.has(names.join('/')));
      for (const names of orphans) {
        if (keep) putAside(state, names);
        else removeBelow(state, names);
      }
      return orphans.map((names) => names.join('/'));
    });
  }

  /** @throws LurkboxError `REGISTRY_INVALID` where something in it is not what lurkbox makes there */
  #inState<T>(work: (state: Folder) => T): T {
    try {
      using state = Folder.openResolved(this.#stateFolder);
      return work(state);
    } catch (cause) {
      if (!(cause instanceof PathError)) throw cause;
      const message = `Files of plugins cannot be kept: ${cause.message}. Find out who put it there, and remove it.`;
      throw new LurkboxError('REGISTRY_INVALID', message, { cause });
    }
  }
}

/** Nothing is copied: for a process that keeps nothing. Its files are what was hashed, or they are refused. */
export class FilesInPlace implements PluginFiles {
  readonly #loaded = new Map<string, LoadedPlugin>();

  async stage(plugin: LoadedPlugin): Promise<StagedFiles> {
    this.#loaded.set(plugin.content, plugin);
    return { folder: IN_PLACE, place: () => {}, [Symbol.asyncDispose]: async () => {} };
  }

  async read(version: InstalledVersion): Promise<LoadedPlugin> {
    const known = this.#loaded.get(version.content);
    return known === undefined ? readUnchanged(version, version.origin.path) : toLocked(known, version.lock);
  }

  async remove({ content }: Pick<InstalledVersion, 'content'>): Promise<void> {
    this.#loaded.delete(content);
  }

  sweep(): readonly string[] {
    return [];
  }
}

async function readUnchanged(
  { name, version, content, lock, origin }: InstalledVersion,
  folder: string,
  vendored: VendoredLimits = VENDORED_LIMITS,
): Promise<LoadedPlugin> {
  const plugin = await loadPlugin(folder, { path: 'resolved', readsLock: false, vendored });
  if (plugin.content === content) return toLocked(plugin, lock);
  const asBefore = await loadPlugin(folder, {
    path: 'resolved',
    names: 'all',
    readsLock: false,
    vendored,
  });
  // Earlier releases installed files that systems and editors drop too, and what was installed stays what it is.
  if (asBefore.content === content) return toLocked(asBefore, lock);
  const differences = await differencesFromOrigin(asBefore, { content, origin });
  throw new LurkboxError(
    'MANIFEST_INVALID',
    `The files of \`${name}@${version}\` are not what was installed; load it again.`,
    {
      problems: [
        { path: '', message: `expected the content ${content}, got ${asBefore.content}; ${differences}` },
      ],
    },
  );
}

/** A digest does not say which files it was made of; the folder that they were copied from may still hold them. */
async function differencesFromOrigin(
  plugin: LoadedPlugin,
  { content, origin }: Pick<InstalledVersion, 'content' | 'origin'>,
): Promise<string> {
  const original = await loadPlugin(origin.path, { readsLock: false }).catch(() => null);
  if (original?.content !== content)
    return `which files differ is not known, because ${quotePath(origin.path)} has other content by now`;
  return describeDifferences(compareContents({ ...original, lock: null }, { ...plugin, lock: null }));
}

function folderOf({ manifest, content }: LoadedPlugin): string {
  return join(FILES_FOLDER, manifest.name, manifest.version, content.slice('sha256:'.length));
}

/** Below the folder of all copies: name, version, content. */
const LEVELS = 3;
/** In the temporary folder. */
const STAGED = 'files';

function moveTo(from: Folder, name: string, to: Folder, names: readonly string[]): void {
  using parent = makeBelow(to, names.slice(0, -1));
  const last = names.at(-1) as string;
  // A copy without a record was left by a process that was killed.
  removeTree(parent, last);
  from.rename(name, parent, last);
}

function putAside(state: Folder, names: readonly string[]): void {
  using parent = openBelow(state, names.slice(0, -1));
  moveTo(parent, names.at(-1) as string, state, [ORPHANS_FOLDER, ...names.slice(1)]);
}

function removeBelow(state: Folder, names: readonly string[]): void {
  takeBelow(state, names, (parent, name) => removeTree(parent, name));
}

function moveOut(state: Folder, names: readonly string[], to: Folder): void {
  takeBelow(state, names, (parent, name) => parent.rename(name, to, STAGED));
}

/** Takes away what is there, and the folders above it as far as they are empty then. */
function takeBelow(
  state: Folder,
  names: readonly string[],
  take: (parent: Folder, name: string) => void,
): void {
  try {
    using parent = openBelow(state, names.slice(0, -1));
    take(parent, names.at(-1) as string);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  for (let above = names.slice(0, -1); above.length > 1; above = above.slice(0, -1)) {
    using parent = openBelow(state, above.slice(0, -1));
    if (!parent.removeIfEmpty(above.at(-1) as string)) return;
  }
}

/** The names on the way to each folder `levels` below. What is no folder was not made by lurkbox, and is left alone. */
function foldersBelow(folder: Folder, levels: number): string[][] {
  if (levels === 0) return [[]];
  return entriesIn(folder).flatMap(({ name: bytes, kind }) => {
    const name = bytes.toString();
    if (kind !== 'folder' || !Buffer.from(name).equals(bytes)) return [];
    using inner = folder.folder(name);
    return foldersBelow(inner, levels - 1).map((way) => [name, ...way]);
  });
}

function copiesIn(state: Folder): string[][] {
  if (state.statsOf(FILES_FOLDER) === null) return [];
  using files = state.folder(FILES_FOLDER);
  return foldersBelow(files, LEVELS).map((way) => [FILES_FOLDER, ...way]);
}
