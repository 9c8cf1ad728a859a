import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Admission } from '../admission/admission.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import { LurkboxError } from '../errors.ts';
import { ContainerSandbox, type ExecuteOptions, type PluginSandbox } from '../execution/container-sandbox.ts';
import {
  type ExecutionContextConfig,
  type ExecutionContextOptions,
  parseContext,
} from '../execution/context.ts';
import { type FailedOutcome, failed } from '../execution/ending.ts';
import { LogBook } from '../execution/logs.ts';
import type { Reaper } from '../execution/reaper.ts';
import { type PluginExecutionResult, UNKNOWN_USAGE } from '../execution/result.ts';
import { Stopwatch } from '../execution/stopwatch.ts';
import { toResult } from '../execution/to-result.ts';
import type { ImageStore } from '../image/image-store.ts';
import type { Logger } from '../logger.ts';
import { discoverPlugins } from '../manifest/discover.ts';
import { type LoadedPlugin, loadPlugin } from '../manifest/load.ts';
import { type Granted, resolveOrThrow } from '../policy/resolve.ts';
import type { Policy } from '../policy/schema.ts';
import type { Pool } from '../pool/pool.ts';
import type { Shelf } from '../pool/shelf.ts';

/** A plugin that is loaded: what it is, and what it gets. */
export interface PluginInstance extends Omit<Granted, 'ok'> {
  readonly name: string;
  readonly version: string;
  readonly plugin: LoadedPlugin;
  /** From the manifest. */
  readonly enabled: boolean;
}

/** What `discoverAndLoadAll` found. A plugin that cannot be loaded does not keep the others from it. */
export interface Discovery {
  readonly loaded: readonly PluginInstance[];
  readonly failed: readonly { readonly folder: string; readonly error: LurkboxError }[];
}

export interface PluginManagerOptions {
  readonly policy: Policy;
  readonly connect: () => Promise<ContainerEngine>;
  readonly images: () => Promise<ImageStore>;
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly admission: Admission;
  readonly reaper: Reaper;
  readonly pool: Pool;
  readonly logger: Logger;
}

interface Entry {
  readonly instance: PluginInstance;
  readonly sandbox: PluginSandbox;
  readonly shelf: Shelf;
}

/** Plugins are read at once: each reads and hashes files of its own. */
const LOADS_AT_ONCE = availableParallelism() * 2;

/** Loads plugins and executes them, each execution in a container of its own. */
export class PluginManager {
  readonly #options: PluginManagerOptions;
  readonly #entries = new Map<string, Entry>();
  /** Also those of plugins that were loaded again since and still have something running. */
  readonly #sandboxes = new Set<PluginSandbox>();
  #isClosed = false;

  constructor(options: PluginManagerOptions) {
    this.#options = options;
  }

  /**
   * Loads every plugin in `plugins/` of a workspace. Where two folders hold a plugin of one name, the second fails.
   */
  async discoverAndLoadAll(workspaceRoot: string): Promise<Discovery> {
    const folders = await discoverPlugins(workspaceRoot);
    const limit = pLimit(LOADS_AT_ONCE);
    const read = await Promise.all(folders.map((folder) => limit(() => settle(() => loadPlugin(folder)))));
    const loaded: PluginInstance[] = [];
    const failures: { folder: string; error: LurkboxError }[] = [];
    for (const [index, outcome] of read.entries()) {
      const folder = folders[index] as string;
      const admitted = 'error' in outcome ? outcome : await settle(() => this.#admit(outcome.value));
      if ('error' in admitted) failures.push({ folder, error: admitted.error });
      else loaded.push(admitted.value);
    }
    return { loaded, failed: failures };
  }

  /**
   * Reads and checks a plugin and resolves what it gets; nothing of it runs, and no image is built yet.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `MANIFEST_INVALID` or `POLICY_DENIED`, with every problem
   */
  async loadPlugin(folder: string): Promise<PluginInstance> {
    return this.#admit(await loadPlugin(folder));
  }

  /**
   * Forgets a plugin at once, and resolves when nothing of it is left in the engine: what executes goes on to its end.
   * Answers false when no plugin of that name is loaded.
   */
  async unloadPlugin(name: string): Promise<boolean> {
    const entry = this.#entries.get(name);
    this.#entries.delete(name);
    await this.#retire(entry?.sandbox);
    return entry !== undefined;
  }

  /** The loaded plugins, sorted by name. */
  list(): readonly PluginInstance[] {
    return [...this.#entries.values()]
      .map(({ instance }) => instance)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): PluginInstance | null {
    return this.#entries.get(name)?.instance ?? null;
  }

  /**
   * Builds the image of a plugin now rather than at its first execution.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, `DEPENDENCY_FAILED`, `IMAGE_BUILD_FAILED` or a code of the engine
   */
  async prepare(
    name: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ id: string; built: boolean }> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new LurkboxError('PLUGIN_NOT_FOUND', this.#unknown(name));
    return this.#prepare(entry.instance, signal);
  }

  /**
   * Has so many containers of a plugin wait for calls, loaded, for a minute; `size` 0 takes that back. Resolves with how many
   * wait: fewer where no more could be started, which the log tells, or where calls have the memory.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`, or `OPTIONS_INVALID` with both numbers when so many do not fit
   */
  async hint(name: string, size: number): Promise<number> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new LurkboxError('PLUGIN_NOT_FOUND', this.#unknown(name));
    return this.#options.pool.hint(entry.shelf, size);
  }

  /** Throws what `executePlugin` would throw for these arguments, and executes nothing. */
  validateCall(name: string, context: ExecutionContextOptions, options: ExecuteOptions = {}): void {
    parseContext(context);
    if (!this.#entries.has(name)) throw new LurkboxError('PLUGIN_NOT_FOUND', this.#unknown(name));
    this.#assertCallable(name, options);
  }

  /**
   * Executes one plugin. Resolves with exactly one outcome whatever happens; throws only for a context or an option
   * that is wrong (`CONTEXT_INVALID`, `OPTIONS_INVALID`).
   */
  async executePlugin(
    name: string,
    context: ExecutionContextOptions = {},
    options: ExecuteOptions = {},
  ): Promise<PluginExecutionResult> {
    const config = parseContext(context);
    this.#assertCallable(name, options);
    return this.#execute(name, config, options);
  }

  /**
   * Executes several plugins at once on one context; without names, all that are enabled. One plugin's failure is its
   * own result and touches no other.
   */
  async executePlugins(
    context: ExecutionContextOptions = {},
    names?: readonly string[],
    options: ExecuteOptions = {},
  ): Promise<Record<string, PluginExecutionResult>> {
    const chosen = names ?? this.list().flatMap((instance) => (instance.enabled ? [instance.name] : []));
    // All of them before any: one plugin's fault must not take the others' results along.
    const config = parseContext(context);
    for (const name of chosen) this.#assertCallable(name, options);
    const results = await Promise.all(
      [...new Set(chosen)].map(async (name) => [name, await this.#execute(name, config, options)] as const),
    );
    return Object.fromEntries(results);
  }

  /** Takes no more calls, and resolves when no container of this manager is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.close()));
  }

  /** For arguments that were found right. */
  async #execute(
    name: string,
    context: ExecutionContextConfig,
    options: ExecuteOptions,
  ): Promise<PluginExecutionResult> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return refused(name, null, 'PLUGIN_NOT_FOUND', this.#unknown(name));
    if (!entry.instance.enabled) return refused(name, entry.instance, 'PLUGIN_DISABLED', '');
    if (this.#isClosed) return refused(name, entry.instance, 'CANCELLED', 'This lurkbox is closed');
    return entry.sandbox.execute(context, options);
  }

  #assertCallable(name: string, { timeoutMs }: ExecuteOptions): void {
    const entry = this.#entries.get(name);
    if (entry?.instance.enabled) assertTimeout(entry.instance, timeoutMs);
  }

  #admit(plugin: LoadedPlugin): PluginInstance {
    const { name, version, enabled } = plugin.manifest;
    const known = this.#entries.get(name);
    if (known !== undefined && known.instance.plugin.folder !== plugin.folder) {
      throw new LurkboxError(
        'MANIFEST_INVALID',
        `The plugin in ${plugin.folder} has the name of another one.`,
        {
          problems: [
            { path: 'name', message: `\`${name}\` is the plugin in ${known.instance.plugin.folder} already` },
          ],
        },
      );
    }
    const { grant, restrictions, rating, warm } = resolveOrThrow(
      plugin.manifest,
      this.#options.policy,
      plugin.digest,
    );
    const instance: PluginInstance = { name, version, plugin, enabled, grant, restrictions, rating, warm };
    // What may throw comes before what is there goes.
    const entry = this.#createEntry(instance, known?.shelf);
    void this.#retire(known?.sandbox);
    this.#entries.set(name, entry);
    return instance;
  }

  /** What a plugin that was loaded again still executes is waited for, and then forgotten. */
  async #retire(sandbox: PluginSandbox | undefined): Promise<void> {
    if (sandbox === undefined) return;
    await sandbox.close();
    this.#sandboxes.delete(sandbox);
  }

  #createEntry(instance: PluginInstance, replaced: Shelf | undefined): Entry {
    const { connect, ownerLabels, admission, reaper, pool, logger } = this.#options;
    const { plugin, grant, warm, enabled } = instance;
    const prepareImage = async (signal?: AbortSignal) => (await this.#prepare(instance, signal)).id;
    const common = { grant, connect, prepareImage, ownerLabels, reaper, logger };
    const { entry_point: entryPoint, version, preload } = plugin.manifest;
    const own = { entryPoint, version, preload, warm: enabled ? warm : 0 };
    const shelf = pool.shelf({ ...common, ...own }, replaced);
    const sandbox = new ContainerSandbox({ ...common, plugin, admission, standby: shelf });
    this.#sandboxes.add(sandbox);
    return { instance, sandbox, shelf };
  }

  async #prepare(
    { plugin, grant }: PluginInstance,
    signal?: AbortSignal,
  ): Promise<{ id: string; built: boolean }> {
    const images = await this.#options.images();
    return images.prepare(plugin, { exec: grant.exec, ...(signal === undefined ? {} : { signal }) });
  }

  #unknown(name: string): string {
    const known = [...this.#entries.keys()].sort().join(', ');
    return `No plugin \`${name.slice(0, 64)}\` is loaded; loaded are: ${known || '(none)'}`;
  }
}

function assertTimeout({ name, grant }: PluginInstance, timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= grant.timeoutMs)) return;
  const most = grant.timeoutMs / 1000;
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a timeout of more than 0 and at most the ${most} s that \`${name}\` is granted, got ${timeoutMs / 1000} s.`,
  );
}

type Settled<T> = { readonly value: T } | { readonly error: LurkboxError };

async function settle<T>(work: () => T | Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof LurkboxError) return { error };
    throw error;
  }
}

function refused(
  name: string,
  instance: PluginInstance | null,
  outcome: FailedOutcome,
  detail: string,
): PluginExecutionResult {
  return toResult({
    executionId: randomUUID(),
    plugin: name,
    version: instance?.version ?? null,
    digest: instance?.plugin.digest ?? null,
    ending: failed(outcome, detail),
    usage: UNKNOWN_USAGE,
    logs: new LogBook(),
    stopwatch: new Stopwatch(),
  });
}
