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
import { type PluginReference, pickVersion } from './reference.ts';
import type { InstalledVersion, PluginRecord } from './registry/record.ts';
import type { PluginRegistry } from './registry/registry.ts';
import { type Choice, chooseVersion, describeVersions } from './resolve.ts';
import type { RolloutMonitor } from './rollout/rollout-monitor.ts';
import type { SandboxCache } from './sandbox-cache.ts';

export interface ExecutorOptions {
  readonly registry: PluginRegistry;
  readonly sandboxes: SandboxCache;
  readonly locks: PackageLocks;
  readonly watch: RolloutMonitor;
  readonly policy: Policy;
  readonly recorder: LifecycleRecorder;
  readonly logger: Logger;
  /** From 0 to 1: which call goes to a canary. @default Math.random */
  readonly random?: () => number;
}

/** Chooses the version of a call, executes it, and writes down what came of it. */
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
    const choose = () => this.#choose(reference, (share) => drawn < share);
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

  /**
   * The version that a call of this reference would be served by, canaries left aside.
   * @throws LurkboxError `PLUGIN_NOT_FOUND`
   */
  find(reference: PluginReference): InstalledVersion {
    const record = this.#options.registry.get(reference.name);
    const { range, digest } = reference;
    const version =
      record === null
        ? null
        : range === null
          ? (record.active ?? record.versions[0])
          : pickVersion(record.versions, range, digest);
    if (version) return version;
    throw new LurkboxError('PLUGIN_NOT_FOUND', this.#describeUnknown(reference, record));
  }

  /**
   * The version that a call of this reference is served by now, canaries left aside; `null` where it would be refused.
   * @throws LurkboxError `PLUGIN_NOT_FOUND` where nothing of that name or in that range is installed
   */
  serving(reference: PluginReference): InstalledVersion | null {
    if (this.#isClosed) return null;
    this.find(reference);
    const choice = this.#choose(reference, () => false);
    return 'refusal' in choice ? null : choice.version;
  }

  /** What would be thrown before a call: a timeout that is longer than granted. */
  assertCallable(reference: PluginReference, { timeoutMs }: ExecuteOptions): void {
    if (timeoutMs === undefined) return;
    const choice = this.#choose(reference, () => false);
    if ('refusal' in choice) return;
    const grant = this.#options.sandboxes.grantOrNull(choice.version);
    if (grant !== null) assertTimeout(choice.version.name, grant, timeoutMs);
  }

  #choose(reference: PluginReference, drawsCanary = (share: number) => this.#random() < share): Choice {
    const { registry, sandboxes } = this.#options;
    if (this.#isClosed) return { refusal: failed('CANCELLED', 'This lurkbox is closed') };
    const { name } = reference;
    const record = registry.get(name);
    sandboxes.follow(name, record);
    if (record === null)
      return { refusal: failed('PLUGIN_NOT_FOUND', this.#describeUnknown(reference, null)) };
    return chooseVersion(record, reference, { drawsCanary, isHeldBack: (id) => sandboxes.isHeldBack(id) });
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

  #describeUnknown({ name, range }: PluginReference, record: PluginRecord | null): string {
    if (record !== null)
      return `No version of \`${name}\` that can be called fits ${range}; installed are: ${describeVersions(record)}`;
    const known = this.#options.registry.list().map((plugin) => plugin.name);
    return `No plugin \`${name.slice(0, 64)}\` is loaded; loaded are: ${known.slice(0, 20).join(', ') || '(none)'}${known.length > 20 ? `, and ${known.length - 20} more` : ''}`;
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
