import type { LoadedPlugin, LoadPluginOptions } from '../manifest/load.ts';
import type { PermissionChange } from '../policy/permission-changes.ts';
import type { Activation } from './activate.ts';
import type { Consents } from './consent.ts';
import type { Installer, InstallOptions } from './install/install.ts';
import type { Uninstaller } from './install/uninstall.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';

export interface PluginLoaderOptions {
  readonly registry: PluginRegistry;
  readonly installer: Installer;
  readonly uninstaller: Uninstaller;
  readonly activation: Activation;
  readonly consents: Consents;
}

/** Brings versions into the registry and out of it, and moves them from state to state. Nothing of a plugin runs here. */
export class PluginLoader {
  readonly #options: PluginLoaderOptions;

  constructor(options: PluginLoaderOptions) {
    this.#options = options;
  }

  /**
   * Reads, checks and installs what is in a folder, beside the versions that are installed. The first version of a plugin
   * brings the consent to what it asks for; none becomes active by this.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID`, also for a name that belongs to another origin,
   * `POLICY_DENIED` or `REQUIREMENT_UNMET`, with every problem
   */
  async load(folder: string): Promise<InstalledVersion> {
    return this.install(await this.read(folder), { isNamed: true, lock: true });
  }

  /** Reads and checks what is in a folder, and installs nothing. @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID` */
  read(folder: string, options: Pick<LoadPluginOptions, 'path'> = {}): Promise<LoadedPlugin> {
    return this.#options.installer.read(folder, options);
  }

  /** Installs a folder that was read already. */
  install(plugin: LoadedPlugin, options: InstallOptions = {}): Promise<InstalledVersion> {
    return this.#options.installer.install(plugin, options);
  }

  /**
   * Forgets one version, or the whole plugin where it is `null`, and what requires it too where `cascade` says so. Resolves
   * with what was forgotten when nothing of that is left: what executes goes on to its end.
   * @throws LurkboxError `REQUIREMENT_UNMET` when another plugin requires it
   */
  unload(
    name: string,
    version: InstalledVersion | null = null,
    options: { cascade?: boolean } = {},
  ): Promise<readonly InstalledVersion[]> {
    return this.#options.uninstaller.unload(name, version, options);
  }

  /** @throws LurkboxError `STATE_INVALID` */
  enable(name: string): InstalledVersion {
    return this.#options.activation.enable(name);
  }

  /** @throws LurkboxError `STATE_INVALID` */
  disable(name: string): InstalledVersion {
    return this.#options.activation.disable(name);
  }

  /** The active version. */
  get(name: string): InstalledVersion | null {
    return this.#options.registry.get(name)?.active ?? null;
  }

  /** What a version asks for that nobody has agreed to; it takes no calls until somebody does. */
  missingConsent(version: InstalledVersion): readonly PermissionChange[] {
    return this.#options.consents.missing(version);
  }

  /** Who would miss something without this version, or without the plugin where it is `null`. */
  dependentsOf(name: string, version: string | null): readonly string[] {
    return this.#options.uninstaller.dependentsOf(name, version);
  }
}
