import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SchemaChecks } from '../../calls/schema-checks.ts';
import { LurkboxError, type Problem } from '../../errors.ts';
import {
  isLocked,
  type LoadedPlugin,
  type LoadPluginOptions,
  loadPlugin,
  MANIFEST_FILE,
  toLocked,
} from '../../manifest/load.ts';
import { countPackages } from '../../manifest/package-lock.ts';
import { type PermissionChange, permissionsBeyond } from '../../policy/permission-changes.ts';
import { toPluginPolicy } from '../../policy/plugin-policy.ts';
import { decideRequest, resolveOrThrow } from '../../policy/resolve.ts';
import { type Policy, toVendoredLimits } from '../../policy/schema.ts';
import { quotePath } from '../../printable.ts';
import type { SchemaChecker } from '../../schemas/schema-checker.ts';
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
import { dependentsOf, orderByRequirements, type Requirable } from './requirements.ts';

/** Reason of a version whose folder was taken away from under a watcher, or from `plugins/`. */
export const FOLDER_GONE = 'its folder is gone';

export interface PluginLoaderOptions {
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
  /** Takes containers, files and images of what was forgotten; resolves when nothing of it is left. */
  readonly release: (versions: readonly InstalledVersion[]) => Promise<void>;
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
  async read(folder: string, options: Pick<LoadPluginOptions, 'path'> = {}): Promise<LoadedPlugin> {
    return loadPlugin(folder, { ...options, vendored: toVendoredLimits(this.#options.policy) });
  }

  /** The same for a folder that was read already. */
  async install(given: LoadedPlugin, options: InstallOptions = {}): Promise<InstalledVersion> {
    const { registry, locks, keptNames } = this.#options;
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
      // Who takes a name takes nothing of what was agreed to under it, and has to be looked at first.
      const isFirst = registry.get(name) === null && former === null;
      const record = registry.register(
        { name, version, digest, content, lock, manifest, origin, folder: staged.folder },
        isFirst ? manifest.permissions : undefined,
      );
      this.#inheritConsent(record);
      return { version: record.state === 'ERROR' ? registry.setState(record.id, 'load') : record, former };
    });
    if (former !== null) await this.#leave(former);
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
      this.#inheritConsent(relocked);
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

  async #leave({ versions }: PluginRecord): Promise<void> {
    const { recorder, release } = this.#options;
    for (const one of versions) recorder.tell('UNLOAD', one, { message: 'its name was taken' });
    await release(versions);
  }

  /** What asks for no more than is agreed to is agreed to itself: so it stays when that is unloaded. */
  #inheritConsent({ name, digest, manifest: { permissions } }: InstalledVersion): void {
    const { registry } = this.#options;
    const { consents, consented } = registry.get(name) as PluginRecord;
    const isKnown = consents.some((consent) => consent.digest === digest);
    const isCovered = permissionsBeyond(consented, permissions).length === 0;
    if (!isKnown && isCovered) registry.setConsents(name, [...consents, { digest, permissions }]);
  }

  /**
   * Forgets one version, or the whole plugin where it is `null`, and what requires it too where `cascade` says so. Resolves
   * with what was forgotten when nothing of that is left: what executes goes on to its end.
   * @throws LurkboxError `REQUIREMENT_UNMET` when another plugin requires it
   */
  async unload(
    name: string,
    version: InstalledVersion | null,
    { cascade = false }: { cascade?: boolean } = {},
  ): Promise<readonly InstalledVersion[]> {
    const number = version?.version ?? null;
    const dependents = this.dependentsOf(name, number);
    if (dependents.length > 0 && !cascade) {
      const who = dependents.map((other) => `\`${other}\``).join(', ');
      throw new LurkboxError(
        'REQUIREMENT_UNMET',
        `\`${number === null ? name : `${name}@${number}`}\` is required by ${who}; unload those first, or cascade.`,
      );
    }
    const all = this.#withTheirDependents(name, dependents);
    const gone = [...all.flatMap((dependent) => this.forget(dependent, null)), ...this.forget(name, version)];
    await this.#options.release(gone);
    return gone;
  }

  /**
   * Only what is known: its files and containers are still there, and nobody is asked who requires it. `message`: why, where
   * nobody asked for it; then whoever watches its folder goes on.
   */
  forget(name: string, version: InstalledVersion | null, message?: string): readonly InstalledVersion[] {
    const { registry, recorder } = this.#options;
    const gone = version === null ? (registry.get(name)?.versions ?? []) : [version];
    if (gone.length === 0) return [];
    registry.transaction(() => {
      registry.unregister(name, version?.id);
      this.#endConsents(name);
    });
    for (const one of gone)
      recorder.tell(
        'UNLOAD',
        one,
        message === undefined ? { metadata: { origin: one.origin } } : { message },
      );
    return gone;
  }

  /** A consent ends with the content that it was given for. */
  #endConsents(name: string): void {
    const { registry } = this.#options;
    const record = registry.get(name);
    if (record === null) return;
    const installed = new Set(record.versions.map(({ digest }) => digest));
    const left = record.consents.filter(({ digest }) => installed.has(digest));
    if (left.length < record.consents.length) registry.setConsents(name, left);
  }

  /** Of what was forgotten and does not execute any more. Another process may have installed the same again. */
  async removeFiles(versions: readonly InstalledVersion[]): Promise<void> {
    const { registry, files } = this.#options;
    if (versions.length === 0) return;
    const removals = registry.transaction(() => {
      const known = new Set(registry.list().flatMap((record) => record.versions.map(({ folder }) => folder)));
      const gone = new Map(versions.map((version) => [version.folder, version]));
      return [...gone.values()].filter(({ folder }) => !known.has(folder)).map((one) => files.remove(one));
    });
    await Promise.all(removals);
  }

  /** @throws LurkboxError `STATE_INVALID` */
  enable(name: string): InstalledVersion {
    return this.#set(name, 'enable', 'ENABLE');
  }

  /** @throws LurkboxError `STATE_INVALID` */
  disable(name: string): InstalledVersion {
    return this.#set(name, 'disable', 'DISABLE');
  }

  /** The active version. */
  get(name: string): InstalledVersion | null {
    return this.#options.registry.get(name)?.active ?? null;
  }

  /** What a version asks for that nobody has agreed to; it takes no calls until somebody does. */
  missingConsent(version: InstalledVersion): readonly PermissionChange[] {
    const record = this.#options.registry.get(version.name);
    return record === null ? [] : permissionsBeyond(record.consented, version.manifest.permissions);
  }

  /** Who would miss something without this version, or without the plugin where it is `null`. */
  dependentsOf(name: string, version: string | null): readonly string[] {
    return dependentsOf(name, version, this.#options.registry.list().map(toRequirable));
  }

  #set(name: string, transition: 'enable' | 'disable', event: 'ENABLE' | 'DISABLE'): InstalledVersion {
    const active = this.get(name);
    if (active === null)
      throw new LurkboxError('STATE_INVALID', `No version of \`${name}\` is active; \`use\` one first.`);
    const changed = this.#options.registry.setState(active.id, transition);
    if (changed.state !== active.state) this.#tell(event, changed);
    return changed;
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
    this.#assertRequirements(plugin);
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

  #assertRequirements({ manifest }: LoadedPlugin): void {
    const { name, version, requires } = manifest;
    if (requires.length === 0) return;
    const others = this.#options.registry.list().map(toRequirable);
    const self = { name, versions: [version], requires };
    const plugins = [self, ...others.filter((other) => other.name !== name)];
    const problem = orderByRequirements(plugins).problems.get(name);
    if (problem !== undefined) throw requirementUnmet({ manifest }, problem);
  }

  /** The farthest first; `name` itself, to which a circle may lead, is left out. */
  #withTheirDependents(name: string, dependents: readonly string[]): string[] {
    const all = new Set(dependents);
    for (const dependent of all) {
      for (const farther of this.dependentsOf(dependent, null)) if (farther !== name) all.add(farther);
    }
    return [...all].reverse();
  }

  #tell(type: 'INSTALL' | 'LOAD' | 'ENABLE' | 'DISABLE', version: InstalledVersion, message?: string) {
    this.#options.recorder.tell(type, version, message === undefined ? {} : { message });
  }
}

/** As others can require it: by what is active of it, or else by what is newest. */
export function toRequirable({ name, versions, active }: PluginRecord): Requirable {
  const speaking = active ?? versions[0];
  return {
    name,
    versions: versions.map(({ version }) => version),
    requires: speaking?.manifest.requires ?? [],
  };
}

export function requirementUnmet(
  { manifest: { name, version } }: Pick<LoadedPlugin, 'manifest'>,
  problem: Problem,
): LurkboxError {
  return new LurkboxError('REQUIREMENT_UNMET', `\`${name}@${version}\` cannot be loaded.`, {
    problems: [problem],
  });
}

function describeInstallation({ folder, manifest }: LoadedPlugin, former: PluginRecord | null): string {
  const from = `from ${quotePath(folder)}`;
  return former === null
    ? from
    : `${from}; \`${manifest.name}\` was the plugin in ${quotePath(former.origin.path)}`;
}
