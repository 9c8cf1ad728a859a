import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { createTempFolder } from '../image/temp-folder.ts';
import { type LoadedPlugin, loadPlugin, readPluginFiles } from '../manifest/load.ts';
import type { InstalledVersion } from '../registry/record.ts';

/** Below the state folder: `plugins/<name>/<version>/<beginning of the digest>/`. */
const FILES_FOLDER = 'plugins';
const DIGEST_CHARACTERS = 16;
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
  /** Only after its record is gone. */
  remove(version: Pick<InstalledVersion, 'folder' | 'digest'>): void;
  /**
   * Takes away folders that no record names, and answers where they were: what a killed process left is removed, and where
   * records were lost (`keep`) all is put aside. Only under the write lock of the registry.
   */
  sweep(known: ReadonlySet<string>, options: { keep: boolean }): readonly string[];
}

/** Copies, so that what was installed stays what it is whatever happens to the folder that it came from. */
export class CopiedFiles implements PluginFiles {
  readonly #stateFolder: string;

  constructor(stateFolder: string) {
    this.#stateFolder = stateFolder;
  }

  async stage(plugin: LoadedPlugin): Promise<StagedFiles> {
    const temp = await createTempFolder(this.#stateFolder);
    const from = join(temp.path, 'files');
    try {
      for await (const { path, content } of readPluginFiles(plugin)) {
        await mkdir(dirname(join(from, path)), { recursive: true });
        await writeFile(join(from, path), content);
      }
    } catch (error) {
      await temp[Symbol.asyncDispose]();
      throw error;
    }
    const folder = folderOf(plugin);
    return {
      folder,
      place: () => {
        const to = this.#pathOf(folder);
        // What is there without a record was left by somebody who was killed.
        rmSync(to, { recursive: true, force: true });
        mkdirSync(dirname(to), { recursive: true });
        renameSync(from, to);
      },
      [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
    };
  }

  async read(version: InstalledVersion): Promise<LoadedPlugin> {
    return readUnchanged(version, this.#pathOf(version.folder));
  }

  remove({ folder }: Pick<InstalledVersion, 'folder'>): void {
    this.#remove(folder);
  }

  #remove(folder: string): void {
    const path = this.#pathOf(folder);
    rmSync(path, { recursive: true, force: true });
    removeIfEmpty(dirname(path));
    removeIfEmpty(dirname(dirname(path)));
  }

  sweep(known: ReadonlySet<string>, { keep }: { keep: boolean }): readonly string[] {
    const orphans = foldersBelow(join(this.#stateFolder, FILES_FOLDER), 3)
      .map((path) => join(FILES_FOLDER, path))
      .filter((folder) => !known.has(folder));
    for (const folder of orphans) {
      if (keep) this.#putAside(folder);
      else this.#remove(folder);
    }
    return orphans;
  }

  #putAside(folder: string): void {
    const to = join(this.#stateFolder, ORPHANS_FOLDER, relative(FILES_FOLDER, folder));
    rmSync(to, { recursive: true, force: true });
    mkdirSync(dirname(to), { recursive: true });
    renameSync(this.#pathOf(folder), to);
  }

  #pathOf(folder: string): string {
    return join(this.#stateFolder, folder);
  }
}

/** Nothing is copied: for a process that keeps nothing. Its files are what was hashed, or they are refused. */
export class FilesInPlace implements PluginFiles {
  readonly #loaded = new Map<string, LoadedPlugin>();

  async stage(plugin: LoadedPlugin): Promise<StagedFiles> {
    this.#loaded.set(plugin.digest, plugin);
    return { folder: IN_PLACE, place: () => {}, [Symbol.asyncDispose]: async () => {} };
  }

  async read(version: InstalledVersion): Promise<LoadedPlugin> {
    return this.#loaded.get(version.digest) ?? readUnchanged(version, version.source);
  }

  remove({ digest }: Pick<InstalledVersion, 'digest'>): void {
    this.#loaded.delete(digest);
  }

  sweep(): readonly string[] {
    return [];
  }
}

async function readUnchanged(
  { name, version, digest }: Pick<InstalledVersion, 'name' | 'version' | 'digest'>,
  folder: string,
): Promise<LoadedPlugin> {
  const plugin = await loadPlugin(folder, { path: 'resolved' });
  if (plugin.digest === digest) return plugin;
  throw new LurkboxError(
    'MANIFEST_INVALID',
    `The files of \`${name}@${version}\` are not what was installed; load it again.`,
    { problems: [{ path: '', message: `expected the content ${digest}, got ${plugin.digest}` }] },
  );
}

function folderOf({ manifest, digest }: LoadedPlugin): string {
  const beginning = digest.slice('sha256:'.length, 'sha256:'.length + DIGEST_CHARACTERS);
  return join(FILES_FOLDER, manifest.name, manifest.version, beginning);
}

/** Paths of the folders so many levels below, relative to it; what is no folder is nothing of ours. */
function foldersBelow(parent: string, levels: number): string[] {
  if (levels === 0) return [''];
  return namesOfFolders(parent).flatMap((name) =>
    foldersBelow(join(parent, name), levels - 1).map((path) => join(name, path)),
  );
}

function namesOfFolders(parent: string): string[] {
  try {
    return readdirSync(parent, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Others of that plugin are in it.
  }
}
