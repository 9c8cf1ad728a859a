import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Admission, RefusedError, type Slot } from '../../calls/admission/admission.ts';
import { toBusy } from '../../calls/busy.ts';
import { type ExecutionContextConfig, MAX_CONTEXT_BYTES } from '../../calls/context.ts';
import { type Ending, endingOfError, failed } from '../../calls/ending.ts';
import { isAboutNative, withHint } from '../../calls/hints.ts';
import { LogBook } from '../../calls/logs.ts';
import { countJsonBytes } from '../../calls/request.ts';
import { type PluginExecutionResult, UNKNOWN_USAGE, type Usage } from '../../calls/result.ts';
import { SchemaChecks } from '../../calls/schema-checks.ts';
import { Stopwatch } from '../../calls/stopwatch.ts';
import { toResult } from '../../calls/to-result.ts';
import type { ContainerEngine } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';
import type { LoadedPlugin } from '../../manifest/load.ts';
import type { Grant } from '../../policy/grant.ts';
import type { SchemaChecker } from '../../schemas/schema-checker.ts';
import type { Reaper } from '../cleanup/reaper.ts';
import type { LostAfterAnswer } from './after-answer.ts';
import type { AcquiredContainer, ContainerSource } from './container-source.ts';
import { Execution, type ExecutionPlan } from './execution.ts';

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
  /** Told what the plugin says of its progress, from 0 to 1; the message is harmless, and cut after 1,000 characters. */
  readonly onProgress?: (fraction: number, message: string) => void;
}

/** Where a plugin is executed. */
export interface PluginSandbox {
  /** Always resolves, with exactly one outcome. */
  execute(context: ExecutionContextConfig, options?: ExecuteOptions): Promise<PluginExecutionResult>;
  /** How every call with this context ends before anything is started, because of what the plugin asks for; `null`: not so. */
  refusalOf(context: ExecutionContextConfig): Promise<Ending | null>;
  /** Resolves when nothing of this sandbox is left in the engine. */
  close(): Promise<void>;
}

export interface ContainerSandboxOptions {
  readonly plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>;
  readonly grant: Grant;
  readonly connect: () => Promise<ContainerEngine>;
  /** The id of the plugin's image if the engine has it. */
  readonly findImage: () => Promise<string | null>;
  /** The same, built if need be. That can take minutes, so nobody who has a slot asks for it. */
  readonly prepareImage: (signal?: AbortSignal) => Promise<string>;
  /** What was found when the image was built: of its packages, what will not work in it. */
  readonly imageNotes: () => Promise<readonly string[]>;
  /** The same once, for the first result after the build. */
  readonly takeBuildWarnings: () => readonly string[];
  readonly ownerLabels: Readonly<Record<string, string>>;
  /** Gives out the slots that executions of all plugins share. */
  readonly admission: Admission;
  /** Checks values against the schemas of the plugin, in processes that all plugins share. */
  readonly schemaChecker: SchemaChecker;
  readonly reaper: Reaper;
  /** Containers that are there before their call. */
  readonly source: ContainerSource;
  /** Told of an execution after whose answer something is lost. */
  readonly onLost: (executionId: string, lost: LostAfterAnswer) => void;
  readonly logger: Logger;
}

/** What `execute` carries from call to result. */
interface Call {
  readonly executionId: string;
  readonly context: ExecutionContextConfig;
  readonly options: ExecuteOptions;
  readonly session: string | null;
  readonly stopwatch: Stopwatch;
  /** Aborted when the execution itself takes over and settles the call. */
  readonly waiting: AbortController;
  /** Settles when it is known whether the result fits. */
  readonly judged: PromiseWithResolvers<void>;
}

interface Settled {
  readonly ending: Ending;
  readonly usage: Usage;
  readonly logs: LogBook;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/**
 * One plugin version under one grant. Each execution has a fresh container of its own, which may have waited for it; where
 * the policy says so, containers are kept for the calls of a session, or of everybody.
 */
export class ContainerSandbox implements PluginSandbox {
  readonly #options: ContainerSandboxOptions;
  readonly #checks: SchemaChecks;
  /** Resolves when the calls before have their image, or have left. */
  #before: Promise<void> = Promise.resolve();
  readonly #alive = new Set<Promise<void>>();
  /** The image was in the engine when somebody last looked. */
  #hasImage = false;

  constructor(options: ContainerSandboxOptions) {
    this.#options = options;
    this.#checks = new SchemaChecks(options.plugin.manifest, options.schemaChecker);
  }

  execute(context: ExecutionContextConfig, options: ExecuteOptions = {}): Promise<PluginExecutionResult> {
    const result = this.#execute(context, options);
    // From its first check on: closing waits for what may yet make a container.
    this.#track(result.then(() => {}));
    return result;
  }

  async #execute(context: ExecutionContextConfig, options: ExecuteOptions): Promise<PluginExecutionResult> {
    const call = {
      executionId: randomUUID(),
      context,
      options,
      session: this.#sessionOf(context),
      stopwatch: new Stopwatch(),
      waiting: new AbortController(),
      judged: Promise.withResolvers<void>(),
    };
    const refusal = options.signal?.aborted ? failed('CANCELLED', '') : await this.#refuse(context);
    if (refusal !== null) return this.#report(call, withoutContainer(refusal));
    const settled = await this.#settle(call);
    const { grant, imageNotes } = this.#options;
    const notes = isAboutNative(settled.ending, grant, settled.logs) ? await imageNotes() : [];
    return this.#report(call, settled, notes);
  }

  async refusalOf(context: ExecutionContextConfig): Promise<Ending | null> {
    const tooLarge = this.#options.admission.tooLarge(this.#options.grant);
    if (tooLarge !== null) return toBusy(tooLarge);
    const refusal = (await this.#refuse(context)) ?? (await this.#checks.checkInput(context));
    // A host that is too busy to check is not of the plugin.
    return refusal?.outcome === 'HOST_RESOURCES' ? null : refusal;
  }

  async #settle(call: Call): Promise<Settled> {
    const { options } = call;
    const { promise: settled, resolve: settle } = Promise.withResolvers<Settled>();
    // Who aborts need not wait for a slot, an engine or an image to be told so.
    const leave = (): void => settle(withoutContainer(failed('CANCELLED', '')));
    options.signal?.addEventListener('abort', leave, { once: true, signal: call.waiting.signal });
    if (options.signal?.aborted) leave();
    const removed = this.#run(call, settle);
    const { ending, ...measured } = await settled;
    call.stopwatch.stop();
    if (options.waitForRemoval) await removed;
    return { ending, ...measured };
  }

  async close(): Promise<void> {
    await this.#options.source.close();
    while (this.#alive.size > 0) await Promise.all(this.#alive);
  }

  /** What is wrong before any container exists, if anything. */
  async #refuse(context: ExecutionContextConfig): Promise<Ending | null> {
    const { grant } = this.#options;
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
    return null;
  }

  /** Waits for a slot, keeps it until the container is gone, and answers when that is. */
  #run(call: Call, settle: (settled: Settled) => void): Promise<void> {
    const removed = this.#liveInSlot(call, settle);
    this.#track(removed);
    return removed;
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#alive.delete(tracked));
    this.#alive.add(tracked);
  }

  async #liveInSlot(call: Call, settle: (settled: Settled) => void): Promise<void> {
    const { admission, grant, source } = this.#options;
    const { plugin, memoryBytes, cpuCores } = grant;
    const { session, options } = call;
    const { signal } = options;
    let acquired: AcquiredContainer | null = null;
    const acquire = () => {
      acquired = source.acquire(session);
      return acquired?.memory ?? null;
    };
    try {
      for (;;) {
        const prepared = this.#hasImage ? null : await this.#inOrder(this.#prepareImage(signal));
        using slot = await admission.acquire({ plugin, session, memoryBytes, cpuCores, signal, acquire });
        const image = kindOf(acquired) === 'cold' ? (prepared ?? (await this.#findImage())) : null;
        // Somebody has removed it: it is built again, and not in this slot.
        if (kindOf(acquired) === 'cold' && image === null) continue;
        if (this.#checks.hasInput && !(await this.#fits(call, settle, { slot, acquired }))) return;
        if (kindOf(acquired) !== 'reused') source.arrived(acquired);
        await this.#live(call, settle, { slot, acquired, image });
        return;
      }
    } catch (error) {
      // Yields, so that a caller that retries on `BUSY` cannot starve the work that frees a slot.
      if (error instanceof RefusedError) await nextTurn();
      // Who was aborted has been told already.
      settle(withoutContainer(error instanceof RefusedError ? toBusy(error.refusal) : endingOfError(error)));
      call.waiting.abort();
    }
  }

  /** Before a call has a slot, so that a build is in nobody's way. */
  async #prepareImage(signal: AbortSignal | undefined): Promise<string> {
    const { admission, grant, prepareImage } = this.#options;
    const tooLarge = admission.tooLarge(grant);
    if (tooLarge !== null) throw new RefusedError(tooLarge);
    const image = await prepareImage(signal);
    this.#hasImage = true;
    return image;
  }

  /** Calls come to the admission in the order in which they were made, whichever of them is answered first. */
  #inOrder<T>(work: Promise<T>): Promise<T> {
    const result = Promise.all([work, this.#before]).then(([value]) => value);
    this.#before = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** Whether the input does; else settles, and what was acquired for the call waits for the next one. */
  async #fits(
    call: Call,
    settle: (settled: Settled) => void,
    { slot, acquired }: { slot: Slot; acquired: AcquiredContainer | null },
  ): Promise<boolean> {
    const { context, options, session, waiting } = call;
    const ending = await this.#checks.checkInput(context, options.signal).catch(endingOfAbort);
    if (ending === null) return true;
    settle(withoutContainer(ending));
    waiting.abort();
    if (acquired !== null && !this.#options.source.giveBack(acquired, slot, session))
      await acquired.ready.sandbox.close();
    return false;
  }

  async #live(
    call: Call,
    settle: (settled: Settled) => void,
    { slot, acquired, image }: { slot: Slot; acquired: AcquiredContainer | null; image: string | null },
  ): Promise<void> {
    let execution: Execution | null = null;
    try {
      execution =
        acquired === null
          ? await this.#startCold(call, slot, image as string)
          : this.#startIn(acquired, call, slot);
      if (execution === null) return;
      call.waiting.abort();
      const [ending, usage] = await Promise.all([execution.ending, execution.usage]);
      const metadata = {
        sandbox: kindOf(acquired),
        sandboxId: execution.sandboxId,
        containerId: execution.containerId,
      };
      // In its slot: calls whose results are not checked yet do not add up without end.
      const judged = await this.#judge(ending, call);
      call.judged.resolve();
      settle({ ending: judged, usage, logs: execution.logs, metadata });
      await execution.removed;
    } catch (error) {
      settle(withoutContainer(endingOfError(error)));
    } finally {
      call.waiting.abort();
      call.judged.resolve();
      // What no execution took over is nobody's any more.
      if (execution === null) await acquired?.ready.sandbox.close();
    }
  }

  /** At once, and also for a caller that has left: what was acquired for it has to be ended. */
  #startIn({ ready }: AcquiredContainer, call: Call, slot: Slot): Execution {
    return new Execution({ ...this.#toPlan(call, slot), ...ready.sandbox.made, ready });
  }

  /** `null` when the caller left before anything was made. */
  async #startCold(call: Call, slot: Slot, image: string): Promise<Execution | null> {
    const { connect, reaper, source } = this.#options;
    const { signal } = call.options;
    if (signal?.aborted) return null;
    const engine = await connect();
    if (signal?.aborted) return null;
    // What may throw comes before what has to be taken back.
    const plan = { ...this.#toPlan(call, slot), engine, image };
    const live = reaper.admit(call.executionId);
    const start = source.startsItsOwn();
    const execution = new Execution(plan);
    void execution.begun.then(() => start[Symbol.dispose]());
    void execution.gone.then(() => live[Symbol.dispose]());
    return execution;
  }

  async #findImage(): Promise<string | null> {
    const image = await this.#options.findImage();
    this.#hasImage = image !== null;
    return image;
  }

  #toPlan(
    { executionId, context, options, stopwatch, session, judged }: Call,
    slot: Slot,
  ): Omit<ExecutionPlan, 'engine' | 'image'> {
    const { plugin, grant, ownerLabels, source, reaper, onLost, logger } = this.#options;
    stopwatch.lap('queueMs');
    const keep: ExecutionPlan['keep'] = (sandbox) => source.keep(sandbox, slot, session);
    const keepOnceJudged: ExecutionPlan['keep'] = (sandbox) => judged.promise.then(() => keep(sandbox));
    const isKept = grant.isolation.mode !== 'execution';
    return {
      grant,
      timeoutMs: Math.min(grant.timeoutMs, options.timeoutMs ?? grant.timeoutMs),
      entryPoint: plugin.manifest.entry_point,
      version: plugin.manifest.version,
      context: { executionId, ...context },
      ownerLabels,
      stopwatch,
      logger: logger.child({ executionId, plugin: grant.plugin }),
      signal: options.signal,
      onProgress: options.onProgress,
      onSuspicion: () => reaper.suspect(),
      onLost: (lost) => onLost(executionId, lost),
      keep: isKept ? (this.#checks.hasOutput ? keepOnceJudged : keep) : undefined,
    };
  }

  async #judge(ending: Ending, { options }: Call): Promise<Ending> {
    if (ending.outcome !== 'OK' || !this.#checks.hasOutput) return ending;
    return (await this.#checks.checkOutput(ending.result, options.signal).catch(endingOfAbort)) ?? ending;
  }

  #report(
    { executionId, stopwatch }: Call,
    settled: Settled,
    notes: readonly string[] = [],
  ): PluginExecutionResult {
    const { plugin, grant, takeBuildWarnings } = this.#options;
    const { manifest, digest } = plugin;
    return toResult({
      executionId,
      plugin: manifest.name,
      version: manifest.version,
      digest,
      ...settled,
      ending: withHint(settled.ending, grant, settled.logs, notes),
      warnings: takeBuildWarnings(),
      stopwatch,
    });
  }

  /** Of which session a call is, where that matters. Another user's session of the same name is another session. */
  #sessionOf({ userId, sessionId }: ExecutionContextConfig): string | null {
    const { mode } = this.#options.grant.isolation;
    return mode === 'session' && sessionId !== null ? JSON.stringify([userId, sessionId]) : null;
  }
}

function kindOf(acquired: AcquiredContainer | null): 'cold' | AcquiredContainer['kind'] {
  return acquired?.kind ?? 'cold';
}

/** A check ends early only for a caller that has left. */
function endingOfAbort(): Ending {
  return failed('CANCELLED', '');
}

function withoutContainer(ending: Ending): Settled {
  return { ending, usage: UNKNOWN_USAGE, logs: new LogBook(), metadata: {} };
}
