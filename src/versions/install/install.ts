import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SchemaChecks } from '../../calls/schema-checks.ts';
import { LurkboxError } from '../../errors.ts';
import {
  isLocked,
  type LoadedPlugin,
  type LoadPluginOptions,
  loadPlugin,
  MANIFEST_FILE,
  toLocked,
} from '../../manifest/load.ts';
import { countPackages } from '../../manifest/package-lock.ts';
import { toPluginPolicy } from '../../policy/plugin-policy.ts';
import { decideRequest, resolveOrThrow } from '../../policy/resolve.ts';
import { type Policy, toVendoredLimits } from '../../policy/schema.ts';
import { quotePath } from '../../printable.ts';
import type { SchemaChecker } from '../../schemas/schema-checker.ts';
import { inheritConsent } from '../agreed.ts';
import type { LifecycleRecorder } from '../lifecycle-recorder.ts';
import {
  type InstalledVersion,
  type PluginOrigin,
  type PluginRecord,
  toNewVersion,
} from '../registry/record.ts';
import type { PluginRegistry } from '../registry/registry.ts';
import type { KeptNames } from './kept-names.ts';
import type { KnownContents } from './known-contents.ts';
import { nameIsTaken, type Surroundings, standingOf } from './ownership.ts';
import type { PackageLocks } from './package-locks.ts';
import type { PluginFiles } from './plugin-files.ts';
import { assertRequirements } from './requirements.ts';
import { FOLDER_GONE } from './retain.ts';
import type { Uninstaller } from './uninstall.ts';

export interface InstallerOptions {
  readonly registry: PluginRegistry;
  readonly files: PluginFiles;
  readonly contents: KnownContents;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  /** `plugins/` of the workspace, absolute and without links. */
  readonly pluginsFolder: string;
  /** Whose names those in the policy are; `null`: the registry knows. */
  readonly keptNames: KeptNames | null;
  readonly schemaChecker: SchemaChecker;
  readonly locks: PackageLocks;
  readonly uninstaller: Uninstaller;
}

export interface InstallOptions {
  /** A version in state `ERROR` gets another chance. @default true */
  readonly again?: boolean;
  /** Somebody named this folder. @default false: it was found where plugins are looked for */
  readonly isNamed?: boolean;
  /** A name that belongs to another origin goes to this one, without what is known of the plugin there. @default false */
  readonly takeName?: boolean;
  /** Its npm packages are locked now where they are not; else npm is not asked, and they are at its first call. @default false */
  readonly lock?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Brings versions into the registry. Nothing of a plugin runs here. */
export class Installer {
  readonly #options: InstallerOptions;

  constructor(options: InstallerOptions) {
    this.#options = options;
  }

  /** Reads and checks what is in a folder, and installs nothing. @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID` */
  async read(folder: string, options: Pick<LoadPluginOptions, 'path'> = {}): Promise<LoadedPlugin> {
    return loadPlugin(folder, { ...options, vendored: toVendoredLimits(this.#options.policy) });
  }

  /**
   * Checks and installs what was read of a folder, beside the versions that are installed. The first version of a plugin
   * brings the consent to what it asks for; none becomes active by this.
   * @throws LurkboxError `MANIFEST_INVALID`, also for a name that belongs to another origin, `POLICY_DENIED` or
   * `REQUIREMENT_UNMET`, with every problem
   */
  async install(given: LoadedPlugin, options: InstallOptions = {}): Promise<InstalledVersion> {
    const { registry, locks, keptNames, uninstaller } = this.#options;
    const { again = true, lock = false, signal } = options;
    await keptNames?.assertOwn(given, this.#surroundings);
    const isTaken = !this.#settleName(given, options);
    let plugin = isTaken ? given : locks.known(given);
    const found = isTaken ? null : this.#find(plugin);
    await this.#assertUsable(plugin, found === null, isTaken);
    if (lock && !isLocked(plugin)) {
      plugin = isTaken ? await locks.make(plugin, signal) : await locks.lock(plugin, signal);
      // What the policy pins can be judged only now.
      await this.#assertUsable(plugin, found === null, isTaken);
    }
    const known = found === null || plugin.lock === null ? found : registry.setLock(found.id, plugin.lock);
    const isBack = known?.reason === FOLDER_GONE;
    if (known !== null && !isBack && !(again && (known.state === 'ERROR' || !(await this.#isWhole(known)))))
      return known;
    await new SchemaChecks(plugin.manifest, this.#options.schemaChecker).assertUsable();
    await using staged = await this.#options.files.stage(plugin);
    const { version, former } = registry.transaction(() => {
      // Another process may have been faster.
      const former = this.#settleName(plugin, options) ? null : this.#forgetAll(plugin.manifest.name);
      const present = this.#find(plugin);
      if (present === null || again) staged.place();
      const { manifest } = plugin;
      // Of two that lock it at once, the first one wins.
      const locked =
        present === null || plugin.lock === null ? present : registry.setLock(present.id, plugin.lock);
      const { content, lock, digest } = locked ?? plugin;
      const origin = { kind: 'folder', path: plugin.folder } as const;
      const { name, version } = manifest;
      // Taking a name is no first installation, so the new plugin gets no consent by it.
      const isFirst = registry.get(name) === null && former === null;
      const record = registry.register(
        { name, version, digest, content, lock, manifest, origin, folder: staged.folder },
        isFirst ? manifest.permissions : undefined,
      );
      inheritConsent(registry, record);
      return { version: record.state === 'ERROR' ? registry.setState(record.id, 'load') : record, former };
    });
    if (former !== null) await uninstaller.releaseFormer(former);
    if (known === null) this.#tell('INSTALL', version, describeInstallation(plugin, former));
    this.#tell('LOAD', version);
    return version;
  }

  /**
   * Installs a version with another lock of its npm packages, beside what it was.
   * @throws LurkboxError `POLICY_DENIED` where the policy pins another content
   */
  async relock(version: InstalledVersion, lock: string): Promise<InstalledVersion> {
    const { registry, contents } = this.#options;
    const plugin = toLocked(await contents.read(version), lock);
    await this.#assertUsable(plugin, true, false);
    return registry.transaction(() => {
      const { digest } = plugin;
      const relocked = registry.register({ ...toNewVersion(version), lock, digest });
      inheritConsent(registry, relocked);
      this.#tell('LOAD', relocked, `its npm packages are locked anew: ${countPackages(lock)}`);
      return relocked;
    });
  }

  /**
   * Whether the name of a plugin is free, or belongs to where it comes from; a folder that was renamed keeps it. False only with
   * `takeName`, where it belongs to another.
   * @throws LurkboxError `MANIFEST_INVALID`
   */
  #settleName(
    { manifest: { name }, content, folder }: LoadedPlugin,
    { isNamed = false, takeName = false }: InstallOptions,
  ): boolean {
    const { registry, policy } = this.#options;
    const record = registry.get(name);
    if (record === null) return true;
    const origin: PluginOrigin = { kind: 'folder', path: folder };
    const hasRules = Object.hasOwn(policy.plugins, name);
    const standing = standingOf(record, { origin, content, isNamed, hasRules }, this.#surroundings);
    if (standing === 'stranger' && !takeName) throw nameIsTaken(folder, name, record.origin.path);
    if (standing === 'moved')
      registry.transaction(() => {
        registry.setOrigin(name, origin);
        for (const version of record.versions)
          if (version.content === content) registry.register({ ...toNewVersion(version), origin });
      });
    return standing !== 'stranger';
  }

  get #surroundings(): Surroundings {
    const { pluginsFolder } = this.#options;
    return { pluginsFolder, isGone: (path) => !existsSync(join(path, MANIFEST_FILE)) };
  }

  /** @throws LurkboxError `MANIFEST_INVALID` for a folder that says a name that belongs to another origin */
  assertOwnName(plugin: LoadedPlugin): void {
    this.#settleName(plugin, {});
  }

  #forgetAll(name: string): PluginRecord | null {
    const { registry } = this.#options;
    const record = registry.get(name);
    registry.unregister(name);
    return record;
  }

  async #isWhole(version: InstalledVersion): Promise<boolean> {
    return this.#options.files.read(version).then(
      () => true,
      () => false,
    );
  }

  #find({ manifest, content }: LoadedPlugin): InstalledVersion | null {
    const { name, version } = manifest;
    const { active = null, versions = [] } = this.#options.registry.get(name) ?? {};
    // Of several with the same files and other locks, the one that serves.
    const all = active === null ? versions : [active, ...versions];
    return all.find((one) => one.version === version && one.content === content) ?? null;
  }

  async #assertUsable(plugin: LoadedPlugin, isNew: boolean, isTaken: boolean): Promise<void> {
    const { policy, recorder } = this.#options;
    const { manifest, digest } = plugin;
    const { name, version } = manifest;
    // What is installed already was written down then.
    const pinned = isLocked(plugin) ? digest : null;
    if (isNew) recorder.decided({ name, version, digest }, decideRequest(manifest, policy, pinned));
    try {
      resolveOrThrow(manifest, policy, pinned);
    } catch (error) {
      throw await this.#withDifferences(plugin, error);
    }
    if (!isTaken) this.#assertSameSource(plugin);
    assertRequirements(plugin, this.#options.registry.list());
  }

  /** Where a pin is one of the reasons, what differs from what it pins is told too. */
  async #withDifferences(plugin: LoadedPlugin, error: unknown): Promise<unknown> {
    const { policy, contents } = this.#options;
    const pin = toPluginPolicy(policy, plugin.manifest.name).pinnedDigest;
    const isPinned = pin !== null && pin !== plugin.digest && isLocked(plugin);
    if (!isPinned || !(error instanceof LurkboxError)) return error;
    const message = await contents.describeDifferences(pin, plugin);
    return new LurkboxError(error.code, error.message, {
      problems: [...error.problems, { path: '', message }],
      cause: error,
    });
  }

  /** One name and version with two contents are two folders that claim to be the same plugin. */
  #assertSameSource({ manifest, content, folder }: LoadedPlugin): void {
    const { name, version } = manifest;
    const other = this.#options.registry
      .get(name)
      ?.versions.find(
        (one) => one.version === version && one.content !== content && one.origin.path !== folder,
      );
    if (other === undefined) return;
    const message = `\`${name}@${version}\` is installed from ${quotePath(other.origin.path)} with other content; give this one another version, or unload that one`;
    throw new LurkboxError(
      'MANIFEST_INVALID',
      `The plugin in ${quotePath(folder)} has the name of another one.`,
      {
        problems: [{ path: 'version', message }],
      },
    );
  }

  #tell(type: 'INSTALL' | 'LOAD', version: InstalledVersion, message?: string) {
    this.#options.recorder.tell(type, version, message === undefined ? {} : { message });
  }
}

function describeInstallation({ folder, manifest }: LoadedPlugin, former: PluginRecord | null): string {
  const from = `from ${quotePath(folder)}`;
  return former === null
    ? from
    : `${from}; \`${manifest.name}\` was the plugin in ${quotePath(former.origin.path)}`;
}
