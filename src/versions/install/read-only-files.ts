import type { LoadedPlugin } from '../../manifest/load.ts';
import type { InstalledVersion } from '../registry/record.ts';
import { type CopiedFiles, FilesInPlace, type PluginFiles, type StagedFiles } from './plugin-files.ts';

/** Copies that cannot be changed; what is loaded beside them is read where it lies, and known to this process alone. */
export class ReadOnlyFiles implements PluginFiles {
  readonly #copies: CopiedFiles;
  readonly #added = new FilesInPlace();
  readonly #addedDigests = new Set<string>();

  constructor(copies: CopiedFiles) {
    this.#copies = copies;
  }

  async stage(plugin: LoadedPlugin): Promise<StagedFiles> {
    this.#addedDigests.add(plugin.digest);
    return this.#added.stage(plugin);
  }

  async read(version: InstalledVersion): Promise<LoadedPlugin> {
    return (this.#addedDigests.has(version.digest) ? this.#added : this.#copies).read(version);
  }

  remove(version: Pick<InstalledVersion, 'folder' | 'content'>): Promise<void> {
    return this.#added.remove(version);
  }

  sweep(): readonly string[] {
    return [];
  }
}
