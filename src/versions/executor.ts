import { randomUUID } from 'node:crypto';
import { RefusedError } from '../calls/admission/admission.ts';
import { toBusy } from '../calls/busy.ts';
import type { ExecuteOptions } from '../calls/call.ts';
import type { ExecutionContextConfig } from '../calls/context.ts';
import { type Ending, endingOfError, failed } from '../calls/ending.ts';
import { LogBook } from '../calls/logs.ts';
import { type PluginExecutionResult, UNKNOWN_USAGE } from '../calls/result.ts';
import { Stopwatch } from '../calls/stopwatch.ts';
import { toResult } from '../calls/to-result.ts';
import { LurkboxError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { isLocked } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';
import { toPluginPolicy } from '../policy/plugin-policy.ts';
import type { Policy } from '../policy/schema.ts';
import type { PackageLocks } from './install/package-locks.ts';
import type { LifecycleRecorder } from './lifecycle-recorder.ts';
import type { PluginReference } from './reference.ts';
import type { InstalledVersion } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import type { Choice, Resolver } from './resolve.ts';
import type { RolloutMonitor } from './rollout/rollout-monitor.ts';
import type { SandboxCache } from './sandbox-cache.ts';

export interface ExecutorOptions {
  readonly registry: PluginRegistry;
  readonly resolver: Resolver;
  readonly sandboxes: SandboxCache;
  readonly locks: PackageLocks;
  readonly watch: RolloutMonitor;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  readonly logger: Logger;
  /** From 0 to 1: which call goes to a canary. @default Math.random */
  readonly random?: () => number;
}

/** Executes a call on the version that serves it, and writes down what came of it. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #random: () => number;
  #isClosed = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Always resolves, with exactly one outcome. */
  async execute(
    reference: PluginReference,
    context: ExecutionContextConfig,
    options: ExecuteOptions,
  ): Promise<PluginExecutionResult> {
    const drawn = this.#random();
    const choose = () => this.#options.resolver.choose(reference, (share) => drawn < share);
    const first = choose();
    // In this turn where nothing has to be locked: who unloads the plugin in the next one waits for this call.
    const isReady = 'refusal' in first || isLocked(first.version);
    const choice = isReady ? first : await this.#lock(first, choose, options);
    if ('refusal' in choice) return this.#refuse(choice.version ?? reference, choice.refusal);
    const { version, isCanary } = choice;
    const result = await this.executeVersion(version, context, options);
    try {
      await this.#note(version, context, options, result);
    } catch (error) {
      // The call has its result, whatever becomes of what is written down of it.
      this.#options.logger.error(
        { err: error, plugin: version.name },
        'could not write down what came of a call',
      );
    }
    return isCanary ? { ...result, metadata: { ...result.metadata, canary: true } } : result;
  }

  close(): void {
    this.#isClosed = true;
    this.#options.resolver.close();
  }

  /** Whatever its state; what comes of it is written down, and not held against the version. */
  async executeVersion(
    version: InstalledVersion,
    context: ExecutionContextConfig,
    options: ExecuteOptions,
  ): Promise<PluginExecutionResult> {
    const { sandboxes, locks, recorder } = this.#options;
    try {
      const locked = isLocked(version) ? version : await locks.ensureForCall(version, options.signal);
      const result = await sandboxes.ensure(locked).sandbox.execute(context, options);
      recorder.executed(result, sandboxes.instanceOf(locked).grant);
      return result;
    } catch (error) {
      // Its npm packages cannot be locked, or the policy is another one than it was when the version was installed.
      return this.#refuse(version, this.#endingOf(error, options));
    }
  }

  /** The first call of a version has its npm packages locked; whether it may serve is judged when it is known what it is. */
  async #lock(
    choice: Exclude<Choice, { refusal: unknown }>,
    choose: () => Choice,
    options: ExecuteOptions,
  ): Promise<Choice> {
    try {
      await this.#options.locks.ensureForCall(choice.version, options.signal);
    } catch {
      // It is tried again where its failure counts.
      return choice;
    }
    return choose();
  }

  #endingOf(error: unknown, { signal }: ExecuteOptions): Ending {
    if (this.#isClosed || signal?.aborted) return failed('CANCELLED', '');
    return error instanceof RefusedError ? toBusy(error.refusal) : endingOfError(error);
  }

  /** What would be thrown before a call: a timeout that is longer than granted. */
  assertCallable(reference: PluginReference, { timeoutMs }: ExecuteOptions): void {
    if (timeoutMs === undefined) return;
    const choice = this.#options.resolver.choose(reference);
    if ('refusal' in choice) return;
    const grant = this.#options.sandboxes.grantOrNull(choice.version);
    if (grant !== null) assertTimeout(choice.version.name, grant, timeoutMs);
  }

  #refuse({ name, version = null, digest = null }: Refused, ending: Ending): PluginExecutionResult {
    const result = toResult({
      executionId: randomUUID(),
      plugin: name,
      version,
      digest,
      ending,
      usage: UNKNOWN_USAGE,
      logs: new LogBook(),
      stopwatch: new Stopwatch(),
    });
    this.#options.recorder.executed(result, null);
    return result;
  }

  async #note(
    version: InstalledVersion,
    context: ExecutionContextConfig,
    { timeoutMs }: ExecuteOptions,
    result: PluginExecutionResult,
  ): Promise<void> {
    const { registry, policy, watch, sandboxes } = this.#options;
    const { executionId, outcome, success, executionTimeMs: ms } = result;
    registry.countCall(version.id, { success, ms });
    if (toPluginPolicy(policy, version.name).recordCalls) {
      const at = new Date().toISOString();
      registry.recordCall({
        executionId,
        versionId: version.id,
        at,
        context,
        outcome,
        result: result.result,
      });
    }
    const granted = sandboxes.grantOrNull(version);
    const isShort = timeoutMs !== undefined && granted !== null && timeoutMs < granted.timeoutMs;
    await watch.note(version, { context, result, isShort });
  }
}

interface Refused {
  readonly name: string;
  readonly version?: string | null;
  readonly digest?: string | null;
}

function assertTimeout(name: string, grant: Grant, timeoutMs: number): void {
  if (timeoutMs > 0 && timeoutMs <= grant.timeoutMs) return;
  const most = grant.timeoutMs / 1000;
  throw new LurkboxError(
    'OPTIONS_INVALID',
    `Expected a timeout of more than 0 and at most the ${most} s that \`${name}\` is granted, got ${timeoutMs / 1000} s.`,
  );
}
