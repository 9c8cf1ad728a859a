import { basename } from 'node:path';
import { LurkboxError, type LurkboxErrorCode } from '../../errors.ts';
import type { LoadedPlugin } from '../../manifest/load.ts';
import type { Activation } from '../activate.ts';
import type { Installer } from '../install/install.ts';
import { nameIsTaken, namesakeOf } from '../install/ownership.ts';
import { FOLDER_GONE } from '../install/retain.ts';
import type { Uninstaller } from '../install/uninstall.ts';
import type { LifecycleRecorder } from '../lifecycle-recorder.ts';
import type { InstalledVersion } from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { SandboxCache } from '../sandbox-cache.ts';
import type { Reloaded, Reloader } from './reloader.ts';

export interface FolderReloaderOptions {
  readonly registry: PluginRegistry;
  readonly installer: Installer;
  readonly uninstaller: Uninstaller;
  readonly sandboxes: SandboxCache;
  readonly activation: Activation;
  readonly recorder: LifecycleRecorder;
  /** `plugins/` of the workspace, absolute and without links. */
  readonly pluginsFolder: string;
}

/** Faults of a version itself; an engine that does not answer is none. */
const BROKEN: ReadonlySet<LurkboxErrorCode> = new Set<LurkboxErrorCode>([
  'MANIFEST_INVALID',
  'POLICY_DENIED',
  'POLICY_INVALID',
  'DEPENDENCY_FAILED',
  'IMAGE_BUILD_FAILED',
  'PLUGIN_BROKEN',
]);

/** Puts what is in a folder into service, and what is not there any more out of it. */
export class FolderReloader implements Reloader {
  readonly #options: FolderReloaderOptions;

  constructor(options: FolderReloaderOptions) {
    this.#options = options;
  }

  /**
   * The new version is built beside the active one, which serves until the new one is ready. `isFirst`:
   * nothing has changed since somebody began to watch, so that what was taken out of service before stays so.
   */
  async reload(
    folder: string,
    { signal, isFirst = false }: { signal?: AbortSignal; isFirst?: boolean } = {},
  ): Promise<Reloaded | null> {
    const { registry, installer, uninstaller, sandboxes, activation, recorder } = this.#options;
    let version: InstalledVersion | undefined;
    try {
      const plugin = await installer.read(folder, { path: 'resolved' });
      await this.#assertOwnName(plugin);
      if (this.#isKnown(plugin, isFirst)) return null;
      version = await installer.install(plugin, { lock: true, signal });
      using _heldBack = sandboxes.holdBack(version);
      activation.assertReady(version);
      const startedAt = performance.now();
      const { built } = await sandboxes.prepare(version, signal);
      const buildMs = performance.now() - startedAt;
      await sandboxes.tryLoading(version, signal);
      signal?.throwIfAborted();
      activation.activate(version, 'RELOAD');
      const { name, version: number, digest } = version;
      return { name, version: number, digest, buildMs, built };
    } catch (error) {
      if (signal?.aborted || !(error instanceof LurkboxError)) throw error;
      if (version !== undefined && BROKEN.has(error.code)) {
        await sandboxes.retire(version.id);
        const { id, name } = version;
        if (registry.get(name)?.versions.some((one) => one.id === id))
          registry.setState(id, 'fail', error.message);
      }
      recorder.tell('ERROR', version ?? { name: this.#nameOf(folder) }, { error: error.message });
      if (version !== undefined) uninstaller.tidy(version.name);
      throw error;
    }
  }

  /** Whether there is nothing to do for a folder: its content serves, or was taken out of service and has not changed since. */
  #isKnown({ manifest, content }: LoadedPlugin, isFirst: boolean): boolean {
    const { registry } = this.#options;
    const record = registry.get(manifest.name);
    const known = record?.versions.find((one) => one.content === content);
    if (record === null || known === undefined) return false;
    if (known.state === 'ERROR' && known.reason === FOLDER_GONE) return false;
    if (known.id === record.active?.id) return known.state !== 'ERROR' || isFirst;
    return isFirst && (known.state === 'ERROR' || record.activeBefore.includes(known.id));
  }

  /** Of two folders in `plugins/` that say a new name neither gets it, whichever is read first. */
  async #assertOwnName(plugin: LoadedPlugin): Promise<void> {
    const { registry, installer, pluginsFolder } = this.#options;
    const { name } = plugin.manifest;
    const namesake = registry.get(name) === null ? await namesakeOf(plugin, pluginsFolder) : null;
    if (namesake !== null) throw nameIsTaken(plugin.folder, name, namesake);
    installer.assertOwnName(plugin);
  }

  async removed(folder: string): Promise<void> {
    await this.#options.activation.takeOut(folder);
  }

  /** Under which name a folder that cannot be read any more was known. */
  #nameOf(folder: string): string {
    const known = this.#options.registry
      .list()
      .find(({ versions }) => versions.some(({ origin }) => origin.path === folder));
    return known?.name ?? basename(folder);
  }
}
