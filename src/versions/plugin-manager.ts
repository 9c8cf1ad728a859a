import type { ExecuteOptions } from '../calls/call.ts';
import { type ExecutionContextOptions, parseContext } from '../calls/context.ts';
import { readContext } from '../calls/read-context.ts';
import type { PluginExecutionResult } from '../calls/result.ts';
import { LurkboxError } from '../errors.ts';
import { FORMER_NAMES, FormerNameWarnings, toNewNames } from '../former-names.ts';
import type { PreparedImage } from '../image/image-store.ts';
import type { Logger } from '../logger.ts';
import type { ContentDifferences } from '../manifest/content-differences.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import type { PermissionChange } from '../policy/permission-changes.ts';
import { quoteValue } from '../printable.ts';
import type { Activation } from './activate.ts';
import type { Executor } from './executor.ts';
import { type Discovery, discoverAndLoad, foldersGone } from './install/discovery.ts';
import type { PluginLoader } from './install/install.ts';
import type { KnownContents } from './install/known-contents.ts';
import type { PackageLocks } from './install/package-locks.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import { exactOf, parseReference, pickVersion } from './reference.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import { type Replay, ReplayError, replayCalls } from './rollout/replay.ts';
import type { SandboxCache } from './sandbox-cache.ts';
import type { PluginInstance } from './version-grants.ts';
import { assertLocked } from './version-images.ts';

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

/** A version before and after its npm packages were locked anew; the same one where they are the same. */
export interface PackageRefresh {
  readonly before: InstalledVersion;
  readonly after: InstalledVersion;
}

export interface ActivateOptions {
  /** Give it a share of the calls that name no version first; it becomes active when it fails no more often. */
  readonly canary?: CanaryOptions;
  /** @deprecated Named `canary`. */
  readonly trial?: CanaryOptions;
  /** Execute the recorded calls on it first; it becomes active when none of them is answered worse. */
  readonly replay?: boolean;
  readonly signal?: AbortSignal;
}

export interface CanaryOptions {
  /** Above 0 and below 1. */
  readonly share: number;
  /** This many calls of the new version decide. @default 20 */
  readonly calls?: number;
}

export interface ExecutePluginsOptions extends ExecuteOptions {
  /** Names or references of plugins. @default all that are enabled */
  readonly names?: readonly string[];
}

export interface PluginManagerOptions {
  /** `plugins/` in it is where `discoverAndLoadAll` looks. */
  readonly workspaceRoot: string;
  readonly logger: Logger;
  readonly registry: PluginRegistry;
  readonly loader: PluginLoader;
  readonly sandboxes: SandboxCache;
  readonly locks: PackageLocks;
  readonly contents: KnownContents;
  readonly activation: Activation;
  readonly executor: Executor;
  readonly recorder: LifecycleRecorder;
}

const DEFAULT_CANARY_CALLS = 20;

/** The plugins of a workspace through their whole life; each execution is in a container of its own. */
export class PluginManager {
  readonly #options: PluginManagerOptions;
  readonly #warnings: FormerNameWarnings;

  constructor(options: PluginManagerOptions) {
    this.#options = options;
    this.#warnings = new FormerNameWarnings(options.logger);
  }

  /**
   * Loads every plugin in `plugins/` of the workspace, or of another folder, those that are required first. What is new there becomes active;
   * what was loaded before stays as it is, and so do plugins that were installed from elsewhere. A folder that says the name of
   * a plugin from another origin fails, and so do two that say the same new name. A plugin whose folder there is gone takes no calls any more.
   */
  async discoverAndLoadAll(workspaceRoot = this.#options.workspaceRoot): Promise<Discovery> {
    const { registry, loader, activation } = this.#options;
    const discovery = await discoverAndLoad(workspaceRoot, registry, {
      read: (folder) => loader.read(folder, { path: 'resolved' }),
      load: (plugin) => this.#load(plugin, {}, 'ifNotBefore'),
    });
    for (const folder of foldersGone(workspaceRoot, registry)) await activation.takeOut(folder);
    return discovery;
  }

  /**
   * Reads and checks a plugin, installs it beside its other versions, and resolves what it gets; nothing of it runs, and
   * no image is built yet.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID`, `POLICY_DENIED`, `REQUIREMENT_UNMET`, with every problem, or
   * `CONSENT_NEEDED`: then it is installed, and not active
   */
  async loadPlugin(folder: string, options: LoadOptions = {}): Promise<PluginInstance> {
    if (!['always', 'ifNone', undefined].includes(options.activate))
      throw new LurkboxError(
        'OPTIONS_INVALID',
        `Expected \`activate\` to be "always" or "ifNone", got ${quoteValue(options.activate)}.`,
      );
    const plugin = await this.#options.loader.read(folder);
    return this.#load(plugin, options, 'always', { lock: options.lock ?? true });
  }

  /**
   * Forgets a plugin, or one version of it (`weather@1.2.0`), at once, and resolves when nothing of it is left in the
   * engine: what executes goes on to its end. Answers false when it was not there.
   * @throws LurkboxError `REQUIREMENT_UNMET` when another plugin requires it and `cascade` is not set, `STATE_INVALID` for
   * the active one of several versions
   */
  async unloadPlugin(written: string, options: { cascade?: boolean } = {}): Promise<boolean> {
    const { registry, loader } = this.#options;
    const { name, range, digest } = parseReference(written);
    const record = registry.get(name);
    if (record === null) return false;
    assertOneContent(written, record.versions);
    const version = range === null ? null : pickVersion(record.versions, range, digest);
    if (range !== null && version === null) return false;
    const isWhole = version === null || record.versions.length === 1;
    if (!isWhole && version.id === record.active?.id)
      throw new LurkboxError(
        'STATE_INVALID',
        `\`${name}@${version.version}\` is active; \`use\` another version first, or unload \`${name}\` as a whole.`,
      );
    return (await loader.unload(name, isWhole ? null : version, options)).length > 0;
  }

  /** From the next call on. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  enablePlugin(name: string): PluginInstance {
    this.#assertName(name);
    return this.#refresh(this.#options.loader.enable(name));
  }

  /** From the next call on; what executes goes on to its end. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  disablePlugin(name: string): PluginInstance {
    this.#assertName(name);
    return this.#refresh(this.#options.loader.disable(name));
  }

  /**
   * Makes a version the default, at once or when a canary or a replay went well; answers the replay. A version in state
   * `ERROR` gets another chance as a canary.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `CONSENT_NEEDED`, `STATE_INVALID` when the replay did not go well or nothing
   * is recorded, or `OPTIONS_INVALID`
   */
  async activatePlugin(written: string, options: ActivateOptions = {}): Promise<Replay | null> {
    const { activation, registry, locks } = this.#options;
    const { canary, replay, signal } = this.#underNewNames(options);
    if (canary !== undefined) assertCanary(canary);
    // A canary is the other chance of one that did not do well.
    const named = this.#find(written);
    assertOneContent(
      written,
      (registry.get(named.name)?.versions ?? []).filter(
        ({ state }) => canary !== undefined || state !== 'ERROR',
      ),
    );
    const found = canary === undefined ? named : activation.revive(named);
    const version = await locks.ensure(found, signal);
    const replayed = replay === true ? await this.#replay(version, signal) : null;
    if (canary === undefined) {
      activation.activate(version, 'ACTIVATE');
      return replayed;
    }
    const { share, calls = DEFAULT_CANARY_CALLS } = canary;
    activation.assertReady(version);
    const { active = null } = registry.get(version.name) ?? {};
    if (active === null || active.id === version.id)
      throw new LurkboxError(
        'STATE_INVALID',
        `A canary compares a version with the active one, and ${active === null ? 'none is active' : 'this one is active'}.`,
      );
    // Nobody's call should be the one that waits for the image.
    await this.#options.sandboxes.prepare(version, signal);
    registry.setCanary(version.name, { versionId: version.id, share, calls });
    return replayed;
  }

  /** The version that was active before serves again, at once. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  rollbackPlugin(name: string): PluginInstance {
    const { activation, sandboxes } = this.#options;
    return sandboxes.instanceOf(activation.rollback(name));
  }

  /**
   * Somebody agrees to what a version asks for, `name` alone meaning its newest one, and it becomes active. `digest` says which
   * content was looked at, with all its 64 digits: another one is refused. Answers what was agreed to.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `OPTIONS_INVALID` for another content, or `STATE_INVALID`
   */
  consent(written: string, { digest }: { digest?: string } = {}): readonly PermissionChange[] {
    const { activation, loader, recorder } = this.#options;
    const version = this.newestVersion(written);
    // Nobody can have looked at what is not known yet.
    assertLocked(version);
    if (digest !== undefined && !isWhole(digest, version.digest)) {
      const message = `Expected all 64 digits of the digest of \`${version.name}@${version.version}\`, ${version.digest}, got ${quoteValue(digest)}; look at what it asks for again.`;
      recorder.tell('CONSENT', version, { error: message });
      throw new LurkboxError('OPTIONS_INVALID', message);
    }
    const changes = loader.missingConsent(version);
    if (changes.length === 0) return changes;
    activation.consent(version);
    activation.activate(version, 'ACTIVATE');
    return changes;
  }

  /**
   * Takes back what was agreed to for a plugin. From the next call on, in all processes, no version is called that needs it: one that
   * needs none serves, or none does; what executes goes on to its end. Answers the digests that were agreed to; fine to call
   * twice.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`
   */
  withdrawConsent(name: string): readonly string[] {
    this.#assertName(name);
    return this.#options.activation.withdrawConsent(name);
  }

  /**
   * How the content of a version differs from another one that is installed, by that one's whole digest; `null` where no version
   * has that. `name` alone means the newest version.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, or `MANIFEST_INVALID` when the files are not any more what was installed
   */
  async differencesFrom(written: string, digest: string): Promise<ContentDifferences | null> {
    const { contents } = this.#options;
    return contents.differencesFrom(toDigest(digest), await contents.read(this.newestVersion(written)));
  }

  /** The files of a version, with their hashes; `name` alone means the active one, or else the newest. */
  async readFiles(written: string): Promise<LoadedPlugin> {
    return this.#options.contents.read(this.#serving(written));
  }

  /** What a version asks for beyond what was agreed to; `name` alone means its newest one. */
  missingConsent(written: string): readonly PermissionChange[] {
    return this.#options.loader.missingConsent(this.newestVersion(written));
  }

  /** The newest installation of a plugin, or the version that a reference such as `weather@^1` picks. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  newestVersion(written: string): InstalledVersion {
    const { name, range } = parseReference(written);
    const newest = range === null ? this.#options.registry.get(name)?.versions[0] : undefined;
    return newest ?? this.#find(written);
  }

  /** The active versions, sorted by name; without those that the policy denies by now. */
  list(): readonly PluginInstance[] {
    return this.#options.registry.list().flatMap(({ active }) => {
      const instance = active === null ? null : this.#instanceOrNull(active);
      return instance === null ? [] : [instance];
    });
  }

  /** All versions whose images a call or a rollback may need. */
  neededVersions(): readonly InstalledVersion[] {
    const { registry, activation } = this.#options;
    return registry.list().flatMap((record) => activation.neededOf(record));
  }

  /** Whether a call of this reference would be let through. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  isCallable(written: string): boolean {
    return this.#options.executor.serving(parseReference(written)) !== null;
  }

  /** The active version, or the one in the range. @throws LurkboxError `PLUGIN_NOT_FOUND`, `POLICY_DENIED` */
  getOrThrow(written: string): PluginInstance {
    return this.#options.sandboxes.instanceOf(this.#find(written));
  }

  /** The active version of a plugin, or the one that serves a call of a reference such as `weather@^1`. */
  get(written: string): PluginInstance | null {
    const { registry, executor } = this.#options;
    const reference = parseReference(written);
    const { name, range, digest } = reference;
    const record = registry.get(name);
    if (record === null || (range !== null && pickVersion(record.versions, range, digest) === null))
      return null;
    const version = range === null ? record.active : executor.serving(reference);
    return version === null ? null : this.#instanceOrNull(version);
  }

  /**
   * Builds the image of a version now rather than at its first execution.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `DEPENDENCY_FAILED`, `IMAGE_BUILD_FAILED` or a code of the engine
   */
  async prepare(written: string, { signal }: { signal?: AbortSignal } = {}): Promise<PreparedImage> {
    const { locks, sandboxes } = this.#options;
    return sandboxes.prepare(await locks.ensure(this.#find(written), signal), signal);
  }

  /**
   * Has npm choose the packages of a version now, where they are not locked yet, rather than at its first execution; what was
   * chosen is part of the version from then on. `name` alone means its newest one.
   * @throws LurkboxError `PLUGIN_NOT_FOUND` or `DEPENDENCY_FAILED`
   */
  async lockPackages(written: string, { signal }: { signal?: AbortSignal } = {}): Promise<InstalledVersion> {
    return this.#options.locks.ensure(this.newestVersion(written), signal);
  }

  /**
   * Has npm choose the packages of a version anew, within the ranges of its `dependencies`; `name` alone means the active one. Other packages are
   * another content under the same version number, with a digest of its own: it is installed beside the former one, and takes its
   * place where that is active. Where the packages are the same, nothing changes.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `OPTIONS_INVALID` where there is no lock to refresh, `DEPENDENCY_FAILED`, or
   * `POLICY_DENIED` where the policy pins the former content
   */
  async refreshPackages(written: string, { signal }: { signal?: AbortSignal } = {}): Promise<PackageRefresh> {
    const { locks, loader, activation } = this.#options;
    const before = this.#serving(written);
    const lock = await locks.refresh(before, signal);
    signal?.throwIfAborted();
    if (before.lock === null) return { before, after: locks.keep(before, lock) };
    if (before.lock === lock) return { before, after: before };
    const after = await loader.relock(before, lock);
    if (this.#options.registry.get(before.name)?.active?.id !== before.id) return { before, after };
    return { before, after: activation.activate(after, 'ACTIVATE', 'its npm packages were locked anew') };
  }

  /** `name` alone means the active version, or else the newest. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  #serving(written: string): InstalledVersion {
    const active = written.includes('@') ? null : (this.#options.registry.get(written)?.active ?? null);
    return active ?? this.newestVersion(written);
  }

  /**
   * Keeps `size` containers of a plugin warm, with its code loaded, for one minute; 0 cancels. Resolves with the number that
   * wait: fewer where no more could be started, which the log says, or where calls have the memory.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, or `OPTIONS_INVALID` with both numbers when so many do not fit
   */
  async prewarm(written: string, size: number): Promise<number> {
    const { executor, locks, sandboxes } = this.#options;
    const version = executor.serving(parseReference(written));
    // What takes no calls has nothing to wait for.
    return version === null ? 0 : sandboxes.ensure(await locks.ensure(version)).sandbox.prewarm(size);
  }

  /** Throws what `executePlugin` would throw for these arguments, and executes nothing. */
  validateCall(written: string, context: ExecutionContextOptions, options: ExecuteOptions = {}): void {
    parseContext(context);
    this.#find(written);
    this.#options.executor.assertCallable(parseReference(written), options);
  }

  /**
   * Executes one plugin: the active version of `name`, or the highest that fits `name@range`. Resolves with exactly one
   * outcome whatever happens; throws only for a name, a context or an option that is wrong (`OPTIONS_INVALID`,
   * `CONTEXT_INVALID`).
   */
  async executePlugin(
    written: string,
    context: ExecutionContextOptions = {},
    options: ExecuteOptions = {},
  ): Promise<PluginExecutionResult> {
    return (await this.executePlugins(context, { ...options, names: [written] }))[
      written
    ] as PluginExecutionResult;
  }

  /**
   * Executes several plugins at once on one context; without names, all that are enabled. One plugin's failure is its
   * own result and touches no other.
   */
  executePlugins(
    context?: ExecutionContextOptions,
    options?: ExecutePluginsOptions,
  ): Promise<Record<string, PluginExecutionResult>>;
  /** @deprecated Give the names in the options: `executePlugins(context, { names })`. */
  executePlugins(
    context: ExecutionContextOptions,
    names: readonly string[] | undefined,
    options?: ExecuteOptions,
  ): Promise<Record<string, PluginExecutionResult>>;
  async executePlugins(
    context: ExecutionContextOptions = {},
    given: ExecutePluginsOptions | readonly string[] = {},
    former?: ExecuteOptions,
  ): Promise<Record<string, PluginExecutionResult>> {
    const { executor } = this.#options;
    const { names = this.#enabled(), ...options } = this.#optionsOf(given, former);
    // All of them before any: one plugin's fault must not take the others' results along.
    const read = readContext(context);
    // A small one is there at once, and its call begins in this turn.
    const config = read instanceof Promise ? await read : read;
    const references = [...new Set(names)].map((written) => [written, parseReference(written)] as const);
    for (const [, reference] of references) executor.assertCallable(reference, options);
    const results = await Promise.all(
      references.map(
        async ([written, reference]) =>
          [written, await executor.execute(reference, config, options)] as const,
      ),
    );
    return Object.fromEntries(results);
  }

  /** @deprecated Named `activatePlugin`. */
  usePlugin(written: string, options: ActivateOptions = {}): Promise<Replay | null> {
    this.#warnOf('usePlugin');
    return this.activatePlugin(written, options);
  }

  /** @deprecated Named `prewarm`. */
  hint(written: string, size: number): Promise<number> {
    this.#warnOf('hint');
    return this.prewarm(written, size);
  }

  /** @deprecated Named `getOrThrow`. */
  require(written: string): PluginInstance {
    this.#warnOf('require');
    return this.getOrThrow(written);
  }

  /** @deprecated Named `newestVersion`. */
  newest(written: string): InstalledVersion {
    this.#warnOf('newest');
    return this.newestVersion(written);
  }

  /** Takes no more calls, and resolves when no container of this manager is left. */
  async close(): Promise<void> {
    const { executor, sandboxes, locks, activation } = this.#options;
    executor.close();
    locks.close();
    await Promise.all([sandboxes.close(), activation.settled()]);
  }

  async #load(
    plugin: LoadedPlugin,
    { activate = 'always', takeName = false }: LoadOptions,
    when: 'always' | 'ifNotBefore',
    { lock = false } = {},
  ): Promise<PluginInstance> {
    const { registry, loader, activation, sandboxes } = this.#options;
    const isNamed = when === 'always';
    const version = await loader.install(plugin, { again: isNamed, isNamed, takeName, lock });
    const { active = null, activeBefore = [] } = registry.get(version.name) ?? {};
    if (active?.id === version.id && version.state !== 'LOADED') return sandboxes.instanceOf(active);
    // Also where it is not to be active yet: whoever loads it should hear what is in the way.
    activation.assertReady(version);
    // What was active before is not any more because somebody wanted it so.
    const isWanted =
      when === 'always'
        ? // The same number with other content takes the place of the one before.
          activate === 'always' || active?.version === version.version
        : !activeBefore.includes(version.id);
    return sandboxes.instanceOf(
      active === null || isWanted ? activation.activate(version, 'ACTIVATE') : version,
    );
  }

  async #replay(version: InstalledVersion, signal: AbortSignal | undefined): Promise<Replay> {
    const { registry, executor, activation } = this.#options;
    const { name } = version;
    activation.assertReady(version);
    const recorded = registry.recordedCalls(name).filter(({ versionId }) => versionId !== version.id);
    if (recorded.length === 0)
      throw new LurkboxError(
        'STATE_INVALID',
        `No calls of other versions of \`${name}\` are recorded yet; they are where \`plugins.${name}.record_calls\` in the policy is true.`,
      );
    const replay = await replayCalls(version, recorded, (context) =>
      executor.executeVersion(version, parseContext(context), signal === undefined ? {} : { signal }),
    );
    signal?.throwIfAborted();
    if (replay.worse === 0) return replay;
    throw new ReplayError(name, replay);
  }

  #underNewNames(options: ActivateOptions): Omit<ActivateOptions, 'trial'> {
    const { value, found, problems } = toNewNames(options, FORMER_NAMES.activateOptions);
    if (problems.length > 0)
      throw new LurkboxError('OPTIONS_INVALID', 'The options are not usable.', { problems });
    for (const [before, now] of found) this.#warnings.warn('option', before, now);
    return value;
  }

  /** As they are given now, or as a list of names before the options, which was the way of 1.0. */
  #optionsOf(given: ExecutePluginsOptions | readonly string[], former: ExecuteOptions | undefined) {
    if (!isList(given) && former === undefined) return given;
    this.#warnOf('executePlugins(context, names, options)');
    return { ...former, ...(isList(given) ? { names: given } : given) };
  }

  #warnOf(method: string): void {
    this.#warnings.warn('method', method, FORMER_NAMES.methods.get(method) as string);
  }

  #assertName(name: string): void {
    if (name.includes('@'))
      throw new LurkboxError(
        'OPTIONS_INVALID',
        `Expected the name of a plugin without a version, got ${quoteValue(name)}.`,
      );
    this.#find(name);
  }

  #find(written: string): InstalledVersion {
    return this.#options.executor.find(parseReference(written));
  }

  /** Its containers wait from now on, or do not any more. */
  #refresh(version: InstalledVersion): PluginInstance {
    const { sandboxes } = this.#options;
    sandboxes.refresh(version);
    return sandboxes.instanceOf(version);
  }

  #instanceOrNull(version: InstalledVersion): PluginInstance | null {
    const { sandboxes } = this.#options;
    return sandboxes.grantOrNull(version) === null ? null : sandboxes.instanceOf(version);
  }

  #enabled(): readonly string[] {
    return this.#options.registry
      .list()
      .flatMap(({ name, active }) => (active?.state === 'ENABLED' ? [name] : []));
  }
}

/**
 * An exact version may be there with more than one content; which is meant is for the caller to say.
 * @throws LurkboxError `OPTIONS_INVALID` with all of them
 */
function assertOneContent(written: string, versions: readonly InstalledVersion[]): void {
  const { name, range, digest } = parseReference(written);
  const exact = range === null ? null : exactOf(range);
  const same = versions.filter(({ version }) => version === exact);
  if (digest !== undefined || same.length < 2) return;
  const contents = same.map((one) => `\`${name}@${one.version}#${one.digest}\` (${one.state})`);
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected one content of \`${name}@${exact}\`, and these are installed: ${contents.join(', ')}.`,
  );
}

function isList(given: object): given is readonly string[] {
  return Array.isArray(given);
}

function assertCanary({ share, calls = DEFAULT_CANARY_CALLS }: CanaryOptions): void {
  if (share > 0 && share < 1 && Number.isInteger(calls) && calls >= 1) return;
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a share above 0 and below 1 and a whole number of calls, got ${share} and ${calls}.`,
  );
}

/** With or without the `sha256:`. */
function isWhole(written: string, digest: string): boolean {
  return toDigest(written) === digest;
}

function toDigest(written: string): string {
  return `sha256:${written.toLowerCase().replace(/^sha256:/, '')}`;
}
