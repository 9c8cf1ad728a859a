import { randomUUID } from 'node:crypto';
import { type Admission, type Refusal, RefusedError } from '../admission/admission.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import type { Problem } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { LoadedPlugin } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';
import { assertMountFolders } from '../policy/mount-folder.ts';
import { type ExecutionContextConfig, MAX_CONTEXT_BYTES } from './context.ts';
import { type Ending, endingOfError, failed } from './ending.ts';
import { Execution, type ExecutionPlan } from './execution.ts';
import { LogBook } from './logs.ts';
import type { Reaper } from './reaper.ts';
import { countJsonBytes } from './request.ts';
import { type PluginExecutionResult, UNKNOWN_USAGE, type Usage } from './result.ts';
import { type CheckValue, compileSchema } from './schemas.ts';
import { Stopwatch } from './stopwatch.ts';
import { toResult } from './to-result.ts';

export interface ExecuteOptions {
  /** Aborting settles the execution as `CANCELLED` at once; the container is removed after that. */
  readonly signal?: AbortSignal;
  /**
   * Resolve only when the container is gone, and measure that too.
   * @default false: resolve as soon as the execution has settled
   */
  readonly waitForRemoval?: boolean;
  /** Shorter than what the plugin is granted, in milliseconds. @default what it is granted */
  readonly timeoutMs?: number;
  /** Told what the plugin says of its progress, from 0 to 1. */
  readonly onProgress?: (fraction: number, message: string) => void;
}

/** Where a plugin is executed. */
export interface PluginSandbox {
  /** Always resolves, with exactly one outcome. */
  execute(context: ExecutionContextConfig, options?: ExecuteOptions): Promise<PluginExecutionResult>;
  /** Resolves when nothing of this sandbox is left in the engine. */
  close(): Promise<void>;
}

export interface ContainerSandboxOptions {
  readonly plugin: LoadedPlugin;
  readonly grant: Grant;
  readonly connect: () => Promise<ContainerEngine>;
  /** The image of the plugin, built if need be: its id. */
  readonly prepareImage: (signal?: AbortSignal) => Promise<string>;
  readonly ownerLabels: Readonly<Record<string, string>>;
  /** Gives out the places that executions of all plugins share. */
  readonly admission: Admission;
  readonly reaper: Reaper;
  readonly logger: Logger;
}

/** What `execute` carries from call to result. */
interface Call {
  readonly executionId: string;
  readonly context: ExecutionContextConfig;
  readonly options: ExecuteOptions;
  readonly stopwatch: Stopwatch;
  /** Aborted when the execution itself takes over and settles the call. */
  readonly waiting: AbortController;
}

interface Settled {
  readonly ending: Ending;
  readonly usage: Usage;
  readonly logs: LogBook;
}

/** One plugin version under one grant; each execution in a fresh container of its own. */
export class ContainerSandbox implements PluginSandbox {
  readonly #options: ContainerSandboxOptions;
  readonly #checks: Readonly<Record<'input' | 'output' | 'config', CheckValue>>;
  readonly #alive = new Set<Promise<void>>();

  /** @throws LurkboxError `MANIFEST_INVALID` when a schema of the plugin cannot be used */
  constructor(options: ContainerSandboxOptions) {
    this.#options = options;
    this.#checks = compileSchemas(options.plugin);
  }

  async execute(
    context: ExecutionContextConfig,
    options: ExecuteOptions = {},
  ): Promise<PluginExecutionResult> {
    const call = {
      executionId: randomUUID(),
      context,
      options,
      stopwatch: new Stopwatch(),
      waiting: new AbortController(),
    };
    const refusal = await this.#refuse(call);
    if (refusal !== null) return this.#report(call, withoutContainer(refusal));
    return this.#report(call, await this.#settle(call));
  }

  async #settle(call: Call): Promise<Settled> {
    const { options } = call;
    const { promise: settled, resolve: settle } = Promise.withResolvers<Settled>();
    // Who aborts need not wait for a place, an engine or an image to be told so.
    const leave = (): void => settle(withoutContainer(failed('CANCELLED', '')));
    options.signal?.addEventListener('abort', leave, { once: true, signal: call.waiting.signal });
    if (options.signal?.aborted) leave();
    const removed = this.#enter(call, settle);
    const { ending, usage, logs } = await settled;
    call.stopwatch.stop();
    if (options.waitForRemoval) await removed;
    return { ending: await this.#checkOutput(ending), usage, logs };
  }

  async close(): Promise<void> {
    await Promise.all(this.#alive);
  }

  /** What is wrong before any container exists, if anything. */
  async #refuse({ context, options }: Call): Promise<Ending | null> {
    const { grant } = this.#options;
    if (options.signal?.aborted) return failed('CANCELLED', '');
    if (grant.channels !== null && !grant.channels.includes(context.channelId ?? '')) {
      const allowed = grant.channels.join(', ') || '(none)';
      return failed(
        'PERMISSION_DENIED',
        `The manifest allows the channels ${allowed}; \`channelId\` names another or none`,
      );
    }
    const bytes = await countJsonBytes(context);
    if (bytes > MAX_CONTEXT_BYTES) {
      return failed(
        'INPUT_INVALID',
        `The context has ${bytes} bytes, at most ${MAX_CONTEXT_BYTES} are taken`,
      );
    }
    const problems = [
      ...below('inputData', await this.#checks.input(context.inputData)),
      ...below('config', await this.#checks.config(context.config)),
    ];
    return problems.length > 0 ? failed('INPUT_INVALID', describe(problems)) : null;
  }

  /** Waits for a place, keeps it until the container is gone, and answers when that is. */
  #enter(call: Call, settle: (settled: Settled) => void): Promise<void> {
    const removed = this.#liveInPlace(call, settle);
    this.#alive.add(removed);
    void removed.finally(() => this.#alive.delete(removed));
    return removed;
  }

  async #liveInPlace(call: Call, settle: (settled: Settled) => void): Promise<void> {
    const { admission, grant } = this.#options;
    const { plugin, memoryBytes, cpuCores } = grant;
    try {
      using _place = await admission.enter({ plugin, memoryBytes, cpuCores, signal: call.options.signal });
      await this.#live(call, settle);
    } catch (error) {
      // Who was aborted has been told already.
      settle(withoutContainer(error instanceof RefusedError ? toBusy(error.refusal) : endingOfError(error)));
      call.waiting.abort();
    }
  }

  async #live(call: Call, settle: (settled: Settled) => void): Promise<void> {
    using _live = this.#options.reaper.admit(call.executionId);
    try {
      if (call.options.signal?.aborted) return;
      const plan = await this.#plan(call);
      if (call.options.signal?.aborted) return;
      call.waiting.abort();
      const execution = new Execution(plan);
      const [ending, usage] = await Promise.all([execution.ending, execution.usage]);
      settle({ ending, usage, logs: execution.logs });
      await execution.removed;
    } catch (error) {
      settle(withoutContainer(endingOfError(error)));
    } finally {
      call.waiting.abort();
    }
  }

  async #plan({ executionId, context, options, stopwatch }: Call): Promise<ExecutionPlan> {
    const { plugin, grant, connect, prepareImage, ownerLabels, reaper, logger } = this.#options;
    const engine = await connect();
    const image = await prepareImage(options.signal);
    await assertMountFolders(grant.mounts);
    stopwatch.lap('queueMs');
    return {
      engine,
      grant: { ...grant, timeoutMs: Math.min(grant.timeoutMs, options.timeoutMs ?? grant.timeoutMs) },
      image,
      entryPoint: plugin.manifest.entry_point,
      version: plugin.manifest.version,
      context: { executionId, ...context },
      ownerLabels,
      stopwatch,
      logger: logger.child({ executionId, plugin: grant.plugin }),
      signal: options.signal,
      onProgress: options.onProgress,
      onSuspicion: () => reaper.suspect(),
    };
  }

  async #checkOutput(ending: Ending): Promise<Ending> {
    if (ending.outcome !== 'OK') return ending;
    const problems = await this.#checks.output(ending.result);
    return problems.length === 0 ? ending : failed('OUTPUT_INVALID', describe(below('result', problems)));
  }

  #report({ executionId, stopwatch }: Call, { ending, usage, logs }: Settled): PluginExecutionResult {
    const { manifest, digest } = this.#options.plugin;
    return toResult({
      executionId,
      plugin: manifest.name,
      version: manifest.version,
      digest,
      ending,
      usage,
      logs,
      stopwatch,
    });
  }
}

function compileSchemas({ manifest }: LoadedPlugin): Record<'input' | 'output' | 'config', CheckValue> {
  return {
    input: compileSchema(manifest.input_schema, 'input_schema'),
    output: compileSchema(manifest.output_schema, 'output_schema'),
    config: compileSchema(manifest.config_schema, 'config_schema'),
  };
}

function withoutContainer(ending: Ending): Settled {
  return { ending, usage: UNKNOWN_USAGE, logs: new LogBook() };
}

function toBusy(refusal: Refusal): Ending {
  if (refusal.kind === 'full') return failed('BUSY', `${refusal.waiting} executions are waiting`);
  const { what, asked, ceiling } = refusal;
  const show = (value: number): string =>
    what === 'memory' ? `${Math.floor(value / (1024 * 1024))} MB of memory` : `${value} cores`;
  return failed(
    'HOST_RESOURCES',
    `The plugin is granted ${show(asked)}, and all sandboxes together may have ${show(ceiling)}`,
  );
}

function below(field: string, problems: readonly Problem[]): Problem[] {
  return problems.map(({ path, message }) => ({ path: path === '' ? field : `${field}.${path}`, message }));
}

function describe(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `\`${path}\` ${message}`).join('; ');
}
