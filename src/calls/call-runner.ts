import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoadedPlugin } from '../manifest/load.ts';
import type { Grant } from '../policy/grant.ts';

import type { SchemaChecker } from '../schemas/schema-checker.ts';
import { type Admission, RefusedError, type Slot } from './admission/admission.ts';
import { toBusy } from './busy.ts';
import { type Call, createCall, type ExecuteOptions } from './call.ts';
import type { CallRun, CallTarget, RunningCall } from './call-target.ts';
import { type ExecutionContextConfig, MAX_CONTEXT_BYTES } from './context.ts';
import { type Ending, endingOfError, failed } from './ending.ts';
import { isAboutNative, withHint } from './hints.ts';
import { LogBook } from './logs.ts';
import { Pending } from './pending.ts';
import { countJsonBytes, isSmallJson } from './request.ts';
import { type PluginExecutionResult, UNKNOWN_USAGE, type Usage } from './result.ts';
import { SchemaChecks } from './schema-checks.ts';
import { toResult } from './to-result.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface CallRunnerOptions {
  readonly plugin: Pick<LoadedPlugin, 'manifest' | 'digest'>;
  readonly grant: Grant;
  /** Gives out the slots that calls of all plugins share. */
  readonly admission: Admission;
  /** Checks values against the schemas of the plugin, in processes that all plugins share. */
  readonly schemaChecker: SchemaChecker;
  /** What was found when the plugin was made ready to run: of its packages, what will not work. */
  readonly notes: () => Promise<readonly string[]>;
  /** The same once, for the first result after that. */
  readonly takeWarnings: () => readonly string[];
}

interface Settled {
  readonly ending: Ending;
  readonly usage: Usage;
  readonly logs: LogBook;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Runs the calls of one plugin version under one grant: checks, a slot, the target, the result. Knows nothing of the target. */
export class CallRunner {
  readonly #options: CallRunnerOptions;
  readonly #target: CallTarget;
  readonly #checks: SchemaChecks;
  readonly #pending = new Pending();
  /** Resolves when the calls before are prepared, or have left. */
  #before: Promise<void> = Promise.resolve();

  constructor(options: CallRunnerOptions, target: CallTarget) {
    this.#options = options;
    this.#target = target;
    this.#checks = new SchemaChecks(options.plugin.manifest, options.schemaChecker);
  }

  /** Always resolves, with exactly one outcome. */
  async run(context: ExecutionContextConfig, options: ExecuteOptions = {}): Promise<PluginExecutionResult> {
    const call = createCall(context, options, this.#options.grant);
    // From its first check on: closing waits for what may yet start something.
    this.#pending.begin();
    let slot: Slot | null = null;
    try {
      const refusal = options.signal?.aborted
        ? leftEarly()
        : (this.#deny(context) ?? (await tooLarge(context)));
      if (refusal !== null) return await this.#report(call, notRun(refusal));
      const run = this.#target.open(call);
      slot = await this.#enter(call, run);
      const misfit = this.#checks.hasInput ? await this.#checkInput(call) : null;
      if (misfit !== null) {
        await run.giveBack(slot);
        return await this.#report(call, notRun(misfit));
      }
      const judged = this.#checks.hasOutput ? Promise.withResolvers<void>() : null;
      const running = await run.start(slot, judged?.promise ?? null);
      const removed = this.#holdUntilRemoved(running, slot);
      // From here on the slot is released when nothing of the call is left.
      slot = null;
      const settled = await this.#settle(call, running);
      judged?.resolve();
      call.stopwatch.stop();
      if (options.waitForRemoval) await removed;
      return await this.#report(call, settled);
    } catch (error) {
      // Yields, so that a caller that retries on `BUSY` cannot starve the work that frees a slot.
      if (error instanceof RefusedError) await nextTurn();
      return await this.#report(call, notRun(options.signal?.aborted ? leftEarly() : endingOf(error)));
    } finally {
      slot?.release();
      this.#pending.end();
    }
  }

  /** How every call with this context ends before anything is started, because of what the plugin asks for; `null`: not so. */
  async refusalOf(context: ExecutionContextConfig): Promise<Ending | null> {
    const refused = this.#options.admission.tooLarge(this.#options.grant);
    if (refused !== null) return toBusy(refused);
    const refusal =
      this.#deny(context) ?? (await tooLarge(context)) ?? (await this.#checks.checkInput(context));
    // A host that is too busy to check is no fault of the plugin.
    return refusal?.outcome === 'HOST_RESOURCES' ? null : refusal;
  }

  /** Resolves when no call runs and nothing of one is left. */
  settled(): Promise<void> {
    return this.#pending.settled();
  }

  #deny({ channelId }: ExecutionContextConfig): Ending | null {
    const { channels } = this.#options.grant;
    if (channels === null || channels.includes(channelId ?? '')) return null;
    const allowed = channels.join(', ') || '(none)';
    return failed(
      'PERMISSION_DENIED',
      `The manifest allows the channels ${allowed}; \`channelId\` names another or none`,
    );
  }

  /** A slot, with what is needed to start in it. */
  async #enter({ session, options: { signal } }: Call, run: CallRun): Promise<Slot> {
    const { admission, grant } = this.#options;
    const { plugin, memoryBytes, cpuCores } = grant;
    const acquire = () => run.acquire();
    for (;;) {
      await this.#prepare(run, signal);
      const slot = await admission.acquire({ plugin, session, memoryBytes, cpuCores, signal, acquire });
      try {
        const isPrepared = run.isPrepared();
        if (isPrepared === true || (await unlessAborted(isPrepared, signal))) return slot;
      } catch (error) {
        slot.release();
        throw error;
      }
      // The image was removed meanwhile: it is built again, without holding this slot.
      slot.release();
    }
  }

  /** Runs before the call has a slot, so that a build blocks no other call. */
  async #prepare(run: CallRun, signal: AbortSignal | undefined): Promise<void> {
    const refused = this.#options.admission.tooLarge(this.#options.grant);
    if (refused !== null) throw new RefusedError(refused);
    const preparing = run.prepare();
    if (preparing === null) return;
    // Calls come to the admission in the order in which they were made, whichever of them is prepared first.
    const prepared = Promise.all([unlessAborted(preparing, signal), this.#before]).then(() => {});
    this.#before = prepared.catch(() => {});
    await unlessAborted(prepared, signal);
  }

  #checkInput({ context, options: { signal } }: Call): Promise<Ending | null> {
    return this.#checks.checkInput(context, signal).catch(leftEarly);
  }

  async #settle({ options: { signal } }: Call, running: RunningCall): Promise<Settled> {
    const [ending, usage] = await Promise.all([running.ending, running.usage]);
    // Runs in the slot, so that unchecked results do not pile up.
    const isChecked = ending.outcome === 'OK' && this.#checks.hasOutput;
    const misfit = isChecked ? await this.#checks.checkOutput(ending.result, signal).catch(leftEarly) : null;
    return { ending: misfit ?? ending, usage, logs: running.logs, metadata: running.metadata };
  }

  async #holdUntilRemoved({ removed }: RunningCall, slot: Slot): Promise<void> {
    this.#pending.begin();
    await removed;
    slot.release();
    this.#pending.end();
  }

  async #report({ executionId, stopwatch }: Call, settled: Settled): Promise<PluginExecutionResult> {
    const { plugin, grant, notes, takeWarnings } = this.#options;
    const { manifest, digest } = plugin;
    const { ending, logs } = settled;
    stopwatch.stop();
    const known = isAboutNative(ending, grant, logs) ? await notes() : [];
    return toResult({
      executionId,
      plugin: manifest.name,
      version: manifest.version,
      digest,
      ...settled,
      ending: withHint(ending, grant, logs, known),
      warnings: takeWarnings(),
      stopwatch,
    });
  }
}

function endingOf(error: unknown): Ending {
  return error instanceof RefusedError ? toBusy(error.refusal) : endingOfError(error);
}

/** The caller has. */
function leftEarly(): Ending {
  return failed('CANCELLED', '');
}

async function tooLarge(context: ExecutionContextConfig): Promise<Ending | null> {
  const bytes = isSmallJson(context) ? 0 : await countJsonBytes(context);
  if (bytes <= MAX_CONTEXT_BYTES) return null;
  return failed('INPUT_INVALID', `The context has ${bytes} bytes, at most ${MAX_CONTEXT_BYTES} are taken`);
}

function notRun(ending: Ending): Settled {
  return { ending, usage: UNKNOWN_USAGE, logs: new LogBook(), metadata: {} };
}
