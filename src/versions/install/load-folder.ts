import { LurkboxError } from '../../errors.ts';
import type { LoadedPlugin } from '../../manifest/load.ts';
import { quoteValue } from '../../printable.ts';
import type { Activation } from '../activate.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { SandboxCache } from '../sandbox-cache.ts';
import type { PluginInstance } from '../version-grants.ts';
import { type Discovery, discoverAndLoad, foldersGone } from './discovery.ts';
import type { Installer } from './install.ts';
import type { PackageLocks, PackageRefresh } from './package-locks.ts';

export interface LoadOptions {
  /**
   * `always`: the version serves from now on. `ifNone`: only where no version is active yet.
   * @default "always"
   */
  readonly activate?: 'always' | 'ifNone';
  /**
   * A name that belongs to another origin goes to this folder: what was installed under it is forgotten, with what was agreed to.
   * @default false: such a folder is refused
   */
  readonly takeName?: boolean;
  /** Whether npm is asked now which packages the dependencies mean, or when it is prepared or called first. @default true */
  readonly lock?: boolean;
}

export interface FolderLoaderOptions {
  readonly registry: PluginRegistry;
  readonly installer: Installer;
  readonly activation: Activation;
  readonly sandboxes: SandboxCache;
  readonly locks: PackageLocks;
}

/** Installs plugins from folders, and makes them active where that is meant. */
export class FolderLoader {
  readonly #options: FolderLoaderOptions;

  constructor(options: FolderLoaderOptions) {
    this.#options = options;
  }

  /** What is in `plugins/` of a workspace, or what of it these names need; what is new there becomes active. */
  async loadAll(workspaceRoot: string, names?: readonly string[]): Promise<Discovery> {
    const { registry, installer, activation } = this.#options;
    const steps = {
      read: (folder: string) => installer.read(folder, { path: 'resolved' }),
      load: (plugin: LoadedPlugin) => this.#loadFound(plugin),
    };
    const discovery = await discoverAndLoad(workspaceRoot, registry, steps, names);
    for (const folder of foldersGone(workspaceRoot, registry)) await activation.takeOut(folder);
    return discovery;
  }

  /** A folder that somebody named. */
  async load(folder: string, options: LoadOptions): Promise<PluginInstance> {
    const { activate = 'always', takeName = false, lock = true } = options;
    if (activate !== 'always' && activate !== 'ifNone')
      throw new LurkboxError(
        'OPTIONS_INVALID',
        `Expected \`activate\` to be "always" or "ifNone", got ${quoteValue(activate)}.`,
      );
    const { installer } = this.#options;
    const plugin = await installer.read(folder);
    const version = await installer.install(plugin, { again: true, isNamed: true, takeName, lock });
    // The same number with other content takes the place of the one before.
    return this.#activate(version, (active) => activate === 'always' || active.version === version.version);
  }

  /**
   * Installs other packages of a version, and has them serve where it is active.
   * @throws LurkboxError `OPTIONS_INVALID`, `DEPENDENCY_FAILED`, or `POLICY_DENIED` where the policy pins the former content
   */
  async refreshPackages(before: InstalledVersion, signal: AbortSignal | undefined): Promise<PackageRefresh> {
    const { registry, locks, installer, activation } = this.#options;
    const lock = await locks.refresh(before, signal);
    signal?.throwIfAborted();
    if (before.lock === null) return { before, after: locks.keep(before, lock) };
    if (before.lock === lock) return { before, after: before };
    const after = await installer.relock(before, lock);
    if (registry.get(before.name)?.active?.id !== before.id) return { before, after };
    return { before, after: activation.activate(after, 'ACTIVATE', 'its npm packages were locked anew') };
  }

  async #loadFound(plugin: LoadedPlugin): Promise<PluginInstance> {
    const { installer, registry } = this.#options;
    const version = await installer.install(plugin, { again: false });
    const { activeBefore = [] } = registry.get(version.name) ?? {};
    // What was active before is not any more because somebody wanted it so.
    return this.#activate(version, () => !activeBefore.includes(version.id));
  }

  /** Where none is active, or where it is to take the place of the one that is. */
  #activate(version: InstalledVersion, isWanted: (active: InstalledVersion) => boolean): PluginInstance {
    const { registry, activation, sandboxes } = this.#options;
    const { active = null } = registry.get(version.name) ?? {};
    if (active?.id === version.id && version.state !== 'LOADED') return sandboxes.instanceOf(active);
    // Also where it is not to be active yet: whoever loads it should hear what is in the way.
    activation.assertReady(version);
    const isActive = active === null || isWanted(active);
    return sandboxes.instanceOf(isActive ? activation.activate(version, 'ACTIVATE') : version);
  }
}
