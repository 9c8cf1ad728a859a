import { dirname } from 'node:path';
import type { LoadedPlugin } from '../../manifest/load.ts';
import type { Policy } from '../../policy/schema.ts';
import type { PluginRecord } from '../registry/record.ts';
import { nameIsTaken, namesakeIn, type Surroundings, standingOf } from './ownership.ts';

export interface KeptNamesOptions {
  readonly policy: Policy;
  /** What the workspace knows of plugins, by name. */
  readonly read: () => Promise<ReadonlyMap<string, PluginRecord>>;
}

/**
 * For a process that keeps nothing and does not know the plugins of the workspace: what the policy gives a name is for
 * the plugin that has it there, and a folder that is only tried out gets nothing of it by saying the same.
 */
export class KeptNames {
  readonly #options: KeptNamesOptions;
  #records: Promise<ReadonlyMap<string, PluginRecord>> | undefined;

  constructor(options: KeptNamesOptions) {
    this.#options = options;
  }

  /** @throws LurkboxError `MANIFEST_INVALID`, or `REGISTRY_INVALID` where nobody can say whose name it is */
  async assertOwn(plugin: LoadedPlugin, surroundings: Surroundings): Promise<void> {
    const { folder, content, manifest } = plugin;
    const { policy, read } = this.#options;
    if (!Object.hasOwn(policy.plugins, manifest.name)) return;
    this.#records ??= read();
    const record = (await this.#records).get(manifest.name);
    if (record === undefined) {
      const { pluginsFolder } = surroundings;
      const other = dirname(folder) === pluginsFolder ? null : await namesakeIn(pluginsFolder, plugin);
      if (other !== null) throw nameIsTaken(folder, manifest.name, other);
      return;
    }
    const origin = { kind: 'folder', path: folder } as const;
    const standing = standingOf(record, { origin, content, isNamed: true, hasRules: true }, surroundings);
    if (standing === 'stranger') throw nameIsTaken(folder, manifest.name, record.origin.path);
  }
}
