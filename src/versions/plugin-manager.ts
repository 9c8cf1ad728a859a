import type { ExecuteOptions } from '../calls/call.ts';
import { type ExecutionContextOptions, parseContext } from '../calls/context.ts';
import { readContext } from '../calls/read-context.ts';
import type { PluginExecutionResult } from '../calls/result.ts';
import type { PreparedImage } from '../image/image-store.ts';
import type { ContentDifferences } from '../manifest/content-differences.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import type { PermissionChange } from '../policy/permission-changes.ts';
import { type ExecutePluginsOptions, FormerMethods } from './former-methods.ts';
import type { Discovery } from './install/discovery.ts';
import type { LoadOptions } from './install/load-folder.ts';
import type { PackageRefresh } from './install/package-locks.ts';
import { neededVersions } from './install/retain.ts';
import type { PluginParts } from './plugin-parts.ts';
import { assertPlainName, parseReference, toDigest } from './reference.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { Replay } from './rollout/replay.ts';
import type { ActivateOptions } from './rollout/rollout.ts';
import type { PluginInstance } from './version-grants.ts';

/** The plugins of a workspace through their whole life; each execution is in a container of its own. */
export class PluginManager extends FormerMethods {
  readonly #parts: PluginParts;

  constructor(parts: PluginParts) {
    super(parts.logger);
    this.#parts = parts;
  }

  /**
   * Loads every plugin in `plugins/` of the workspace, or of another folder, those that are required first. What is new there becomes active;
   * what was loaded before stays as it is, and so do plugins that were installed from elsewhere. A folder that says the name of
   * a plugin from another origin fails, and so do two that say the same new name. A plugin whose folder there is gone takes no calls any more.
   */
  async discoverAndLoadAll(workspaceRoot = this.#parts.workspaceRoot): Promise<Discovery> {
    return this.#parts.folders.loadAll(workspaceRoot);
  }

  /**
   * The same for the plugins with these names and those that they require: nothing else in `plugins/` is read, unless one of them was
   * never loaded before or now has another name or other requirements.
   */
  async discoverAndLoad(names: readonly string[]): Promise<Discovery> {
    return this.#parts.folders.loadAll(this.#parts.workspaceRoot, names);
  }

  /**
   * Reads and checks a plugin, installs it beside its other versions, and resolves what it gets; nothing of it runs, and
   * no image is built yet.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID`, `POLICY_DENIED`, `REQUIREMENT_UNMET`, with every problem, or
   * `CONSENT_NEEDED`: then it is installed, and not active
   */
  async loadPlugin(folder: string, options: LoadOptions = {}): Promise<PluginInstance> {
    return this.#parts.folders.load(folder, options);
  }

  /**
   * Forgets a plugin, or one version of it (`weather@1.2.0`), at once, and resolves when nothing of it is left in the
   * engine: what executes goes on to its end. Answers false when it was not there.
   * @throws LurkboxError `REQUIREMENT_UNMET` when another plugin requires it and `cascade` is not set, `STATE_INVALID` for
   * the active one of several versions
   */
  async unloadPlugin(written: string, options: { cascade?: boolean } = {}): Promise<boolean> {
    return this.#parts.uninstaller.unloadReferenced(written, options);
  }

  /** From the next call on. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  enablePlugin(name: string): PluginInstance {
    this.#assertName(name);
    const { activation, sandboxes } = this.#parts;
    return sandboxes.instanceOf(activation.enable(name));
  }

  /** From the next call on; what executes goes on to its end. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  disablePlugin(name: string): PluginInstance {
    this.#assertName(name);
    const { activation, sandboxes } = this.#parts;
    return sandboxes.instanceOf(activation.disable(name));
  }

  /**
   * Makes a version the default, at once or when a canary or a replay went well; answers the replay. A version in state
   * `ERROR` gets another chance as a canary.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `CONSENT_NEEDED`, `STATE_INVALID` when the replay did not go well or nothing
   * is recorded, or `OPTIONS_INVALID`
   */
  async activatePlugin(written: string, options: ActivateOptions = {}): Promise<Replay | null> {
    return this.#parts.rollout.begin(written, this.underNewNames(options));
  }

  /** The version that was active before serves again, at once. @throws LurkboxError `PLUGIN_NOT_FOUND`, `STATE_INVALID` */
  rollbackPlugin(name: string): PluginInstance {
    const { activation, sandboxes } = this.#parts;
    return sandboxes.instanceOf(activation.rollback(name));
  }

  /**
   * Somebody agrees to what a version asks for, `name` alone meaning its newest one, and it becomes active. `digest` says which
   * content was looked at, with all its 64 digits: another one is refused. Answers what was agreed to.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `OPTIONS_INVALID` for another content, or `STATE_INVALID`
   */
  consent(written: string, { digest }: { digest?: string } = {}): readonly PermissionChange[] {
    return this.#parts.consents.agree(this.newestVersion(written), digest);
  }

  /**
   * Takes back what was agreed to for a plugin. From the next call on, in all processes, no version is called that needs it: one that
   * needs none serves, or none does; what executes goes on to its end. Answers the digests that were agreed to; fine to call
   * twice.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`
   */
  withdrawConsent(name: string): readonly string[] {
    this.#assertName(name);
    return this.#parts.consents.withdraw(name);
  }

  /**
   * How the content of a version differs from another one that is installed, by that one's whole digest; `null` where no version
   * has that. `name` alone means the newest version.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, or `MANIFEST_INVALID` when the files are not any more what was installed
   */
  async differencesFrom(written: string, digest: string): Promise<ContentDifferences | null> {
    const { contents } = this.#parts;
    return contents.differencesFrom(toDigest(digest), await contents.read(this.newestVersion(written)));
  }

  /** The files of a version, with their hashes; `name` alone means the active one, or else the newest. */
  async readFiles(written: string): Promise<LoadedPlugin> {
    return this.#parts.contents.read(this.#parts.resolver.activeOrNewest(parseReference(written)));
  }

  /** What a version asks for beyond what was agreed to; `name` alone means its newest one. */
  missingConsent(written: string): readonly PermissionChange[] {
    return this.#parts.consents.missing(this.newestVersion(written));
  }

  /** The newest installation of a plugin, or the version that a reference such as `weather@^1` picks. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  newestVersion(written: string): InstalledVersion {
    return this.#parts.resolver.newest(parseReference(written));
  }

  /** The active versions, sorted by name; without those that the policy denies by now. */
  list(): readonly PluginInstance[] {
    return this.#parts.registry.list().flatMap(({ active }) => {
      const instance = active === null ? null : this.#instanceOrNull(active);
      return instance === null ? [] : [instance];
    });
  }

  /** All versions whose images a call or a rollback may need. */
  neededVersions(): readonly InstalledVersion[] {
    const { registry, policy } = this.#parts;
    return registry.list().flatMap((record) => neededVersions(record, policy.keep_versions));
  }

  /** Whether a call of this reference would be let through. @throws LurkboxError `PLUGIN_NOT_FOUND` */
  isCallable(written: string): boolean {
    return this.#parts.resolver.serving(parseReference(written)) !== null;
  }

  /** The active version, or the one in the range. @throws LurkboxError `PLUGIN_NOT_FOUND`, `POLICY_DENIED` */
  getOrThrow(written: string): PluginInstance {
    return this.#parts.sandboxes.instanceOf(this.#find(written));
  }

  /** The active version of a plugin, or the one that serves a call of a reference such as `weather@^1`. */
  get(written: string): PluginInstance | null {
    const version = this.#parts.resolver.known(parseReference(written));
    return version === null ? null : this.#instanceOrNull(version);
  }

  /**
   * Builds the image of a version now rather than at its first execution. With `forCall`, for a call that comes next, what checks its
   * values is started meanwhile.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `DEPENDENCY_FAILED`, `IMAGE_BUILD_FAILED` or a code of the engine
   */
  async prepare(
    written: string,
    { signal, forCall = false }: { signal?: AbortSignal; forCall?: boolean } = {},
  ): Promise<PreparedImage> {
    const { locks, sandboxes } = this.#parts;
    const version = this.#find(written);
    if (forCall) sandboxes.expectCall(version);
    return sandboxes.prepare(await locks.ensure(version, signal), signal);
  }

  /**
   * Has npm choose the packages of a version now, where they are not locked yet, rather than at its first execution; what was
   * chosen is part of the version from then on. `name` alone means its newest one.
   * @throws LurkboxError `PLUGIN_NOT_FOUND` or `DEPENDENCY_FAILED`
   */
  async lockPackages(written: string, { signal }: { signal?: AbortSignal } = {}): Promise<InstalledVersion> {
    return this.#parts.locks.ensure(this.newestVersion(written), signal);
  }

  /**
   * Has npm choose the packages of a version anew, within the ranges of its `dependencies`; `name` alone means the active one. Other packages are
   * another content under the same version number, with a digest of its own: it is installed beside the former one, and takes its
   * place where that is active. Where the packages are the same, nothing changes.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `OPTIONS_INVALID` where there is no lock to refresh, `DEPENDENCY_FAILED`, or
   * `POLICY_DENIED` where the policy pins the former content
   */
  async refreshPackages(written: string, { signal }: { signal?: AbortSignal } = {}): Promise<PackageRefresh> {
    return this.#parts.folders.refreshPackages(
      this.#parts.resolver.activeOrNewest(parseReference(written)),
      signal,
    );
  }

  /**
   * Keeps `size` containers of a plugin warm, with its code loaded, for one minute; 0 cancels. Resolves with the number that
   * wait: fewer where no more could be started, which the log says, or where calls have the memory.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, or `OPTIONS_INVALID` with both numbers when they do not fit
   */
  async prewarm(written: string, size: number): Promise<number> {
    const { resolver, locks, sandboxes } = this.#parts;
    const version = resolver.serving(parseReference(written));
    // What takes no calls has nothing to wait for.
    return version === null ? 0 : sandboxes.ensure(await locks.ensure(version)).sandbox.prewarm(size);
  }

  /** Throws what `executePlugin` would throw for these arguments, and executes nothing. */
  validateCall(written: string, context: ExecutionContextOptions, options: ExecuteOptions = {}): void {
    parseContext(context);
    this.#find(written);
    this.#parts.executor.assertCallable(parseReference(written), options);
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
    const { executor } = this.#parts;
    const read = readContext(context);
    // A small one is there at once, and the call begins in this turn.
    const config = read instanceof Promise ? await read : read;
    const reference = parseReference(written);
    executor.assertCallable(reference, options);
    return await executor.execute(reference, config, options);
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
    given?: ExecutePluginsOptions | readonly string[],
    former?: ExecuteOptions,
  ): Promise<Record<string, PluginExecutionResult>> {
    const { executor } = this.#parts;
    const { names = this.#parts.resolver.enabledNames(), ...options } = this.withNames(given, former);
    // All of them before any: one plugin's fault must not take the others' results along.
    const read = readContext(context);
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

  /** Takes no more calls, and resolves when no container of this manager is left. */
  async close(): Promise<void> {
    const { executor, sandboxes, locks, uninstaller } = this.#parts;
    executor.close();
    locks.close();
    await Promise.all([sandboxes.close(), uninstaller.settled()]);
  }

  #assertName(name: string): void {
    assertPlainName(name);
    this.#find(name);
  }

  #find(written: string): InstalledVersion {
    return this.#parts.resolver.find(parseReference(written));
  }

  #instanceOrNull(version: InstalledVersion): PluginInstance | null {
    const { sandboxes } = this.#parts;
    return sandboxes.grantOrNull(version) === null ? null : sandboxes.instanceOf(version);
  }
}
