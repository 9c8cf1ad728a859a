import {
  type ContentDifferences,
  compareContents,
  describeDifferences,
} from '../../manifest/content-differences.ts';
import { type LoadedPlugin, loadPlugin, toLocked } from '../../manifest/load.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { PluginFiles } from './plugin-files.ts';

/** The contents of plugins that are at hand: a digest alone does not say which files it was made of. */
export class KnownContents {
  readonly #registry: PluginRegistry;
  readonly #files: PluginFiles;

  constructor(registry: PluginRegistry, files: PluginFiles) {
    this.#registry = registry;
    this.#files = files;
  }

  /** The files of an installed version. @throws LurkboxError `MANIFEST_INVALID` when they are not any more what was installed */
  read(version: InstalledVersion): Promise<LoadedPlugin> {
    return this.#files.read(version);
  }

  /** What a plugin has that the content with this digest has not, and the other way round; `null` where that is not at hand. */
  async differencesFrom(digest: string, plugin: LoadedPlugin): Promise<ContentDifferences | null> {
    const before = (await this.#installed(digest, plugin)) ?? (await withAllNames(digest, plugin));
    return before === null ? null : compareContents(before, plugin);
  }

  /** The same in words, for a message beside both digests. */
  async describeDifferences(digest: string, plugin: LoadedPlugin): Promise<string> {
    const differences = await this.differencesFrom(digest, plugin);
    if (differences === null)
      return (
        'which files differ is not known here, as that content is not installed; ' +
        `\`lurkbox files ${plugin.manifest.name}\` lists every file with its hash, to compare with where it is`
      );
    return `against that content: ${describeDifferences(differences)}`;
  }

  async #installed(digest: string, { manifest }: LoadedPlugin): Promise<LoadedPlugin | null> {
    const versions = this.#registry.get(manifest.name)?.versions ?? [];
    const version = versions.find((one) => one.digest === digest);
    return version === undefined ? null : this.#files.read(version).catch(() => null);
  }
}

/** Earlier releases counted files that systems and editors drop. */
async function withAllNames(digest: string, { folder, lock }: LoadedPlugin): Promise<LoadedPlugin | null> {
  const plugin = await loadPlugin(folder, {
    path: 'resolved',
    names: 'all',
    readsLock: false,
  }).catch(() => null);
  const locked = plugin === null ? null : toLocked(plugin, lock);
  return locked?.digest === digest ? locked : null;
}
