import { setTimeout as delay } from 'node:timers/promises';
import type { RunningCall } from '../../calls/call-target.ts';
import { type Ending, endingOfResponse, failed, unasked } from '../../calls/ending.ts';
import { LogBook } from '../../calls/logs.ts';
import type { Usage } from '../../calls/result.ts';
import type { Stopwatch } from '../../calls/stopwatch.ts';
import type { Surplus } from '../../calls/surplus.ts';
import type { Logger } from '../../logger.ts';
import { escapeAndCut } from '../../printable.ts';
import { type PluginExecutionContext, RUNNER_ERRORS } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import { AfterAnswer, type LostAfterAnswer } from './after-answer.ts';
import type { Container } from './container.ts';
import { BOOT_DEADLINE_MS } from './container-end.ts';
import type { ContainerUser, StartPhase } from './container-plan.ts';

/** How long a killed container may take to hand over what it wrote before. */
const DRAIN_MS = 1_500;
const DRAIN_SLICES = 15;
/** How long a cancelled plugin may tidy up what it did outside of its container. */
const CANCEL_GRACE_MS = 200;
/** How long the engine may take to tell how a container has ended that waited for a call. */
const TOLD_MS = 2_000;
/** How long a plugin that has answered may take to leave. */
const LEAVE_MS = 200;

/** How long what was printed to stderr before the answer may come after it. */
const OUTPUT_END_MS = 2_000;
const MAX_PROGRESS_CHARS = 8_000;
/** Made once: nobody reads it, and one of its own for each execution would be made with its stack. */
const SETTLED = new Error('The execution has settled');

/** A container that waits for an execution, with what its plugin said while it was loaded. */
export interface ReadyContainer {
  readonly container: Container;
  readonly logs: LogBook;
}

export interface ExecutionPlan {
  readonly context: PluginExecutionContext;
  /** From handing over the context on; the container is made for what the plugin is granted. */
  readonly timeoutMs: number;
  /** One that is there, or what starts one for this execution. */
  readonly container: ReadyContainer | ((user: ContainerUser) => Container);
  readonly kind: 'cold' | 'warm' | 'reused';
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((fraction: number, message: string) => void) | undefined;
  /** Told once, where something of what the plugin did after its answer is lost. */
  readonly onLost: (lost: LostAfterAnswer) => void;
  readonly logger: Logger;
  /** Asked once, when the plugin has answered: whether somebody takes the container over. @default no */
  readonly reuse?: ((container: Container) => boolean | Promise<boolean>) | undefined;
}

/**
 * One execution in one container. Everything that can end it (an answer, the end of the container, the deadline, the
 * caller, a fault of the protocol or of the engine) calls `#settle`, and the first call wins.
 */
export class Execution implements ContainerUser, RunningCall {
  readonly isIdle = false;
  readonly logs: LogBook;
  /** Settles once, and never rejects. */
  readonly ending: Promise<Ending>;
  /** Resolves when the plugin has its context, or never will. */
  readonly begun: Promise<void>;
  /** What the engine measured; settles soon after the ending. */
  readonly usage: Promise<Usage>;
  /** Resolves when the container is gone or reused, or when everything was tried to that end. Never rejects. */
  readonly removed: Promise<void>;

  readonly #plan: ExecutionPlan;
  readonly #container: Container;
  readonly #resolveBegun: () => void;
  readonly #resolveEnding: (ending: Ending) => void;
  readonly #resolveUsage: (usage: Usage | Promise<Usage>) => void;
  /** Aborted once settled: ends every wait that only served to settle. */
  readonly #settled = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** The ending that waits for the last bytes of a container killed at its deadline. */
  #expired: Ending | undefined;
  /** Of its request, once that was sent. */
  #requestId: number | undefined;
  /** Whether `execute` came to its own end; of a plugin that did not load, or let an error pass, nobody knows the state. */
  #hasAnswered = false;
  /** While the rest of its output is waited for. */
  #answer: Ending | null = null;
  #hasAllOutput = false;
  readonly #after = new AfterAnswer();
  #isEnding = false;

  constructor(plan: ExecutionPlan) {
    this.#plan = plan;
    const ready = typeof plan.container === 'function' ? null : plan.container;
    this.logs = ready?.logs ?? new LogBook();
    ({ promise: this.begun, resolve: this.#resolveBegun } = Promise.withResolvers<void>());
    ({ promise: this.ending, resolve: this.#resolveEnding } = Promise.withResolvers<Ending>());
    ({ promise: this.usage, resolve: this.#resolveUsage } = Promise.withResolvers<Usage>());
    this.#container = typeof plan.container === 'function' ? plan.container(this) : plan.container.container;
    this.removed = this.ending.then((ending) => this.#release(ending));
    this.#watchCaller();
  }

  get metadata(): Readonly<Record<string, unknown>> {
    const { id, containerId } = this.#container;
    return { sandbox: this.#plan.kind, sandboxId: id, containerId };
  }

  /** Until it has answered. */
  get requestSignal(): AbortSignal | null {
    return this.#requestId === undefined || this.#answer !== null ? null : this.#settled.signal;
  }

  /** Hands the context over. Whoever gives it a container that is there calls this once; in another it does so itself. */
  begin(): void {
    if (this.#isSettled()) return;
    const { context, timeoutMs } = this.#plan;
    const ending = this.#container.handTo(this);
    if (this.#container.isAlive) {
      this.#requestId = this.#container.execute(context, this.#settled.signal);
      this.#resolveBegun();
      this.#limit(timeoutMs, () => this.#expire(`No answer within ${timeoutMs / 1000} s`));
    }
    // How it ended while it waited is how the call ends: a plugin may end its container at any time.
    else if (ending !== null) this.#settle(ending);
    else
      this.#limit(TOLD_MS, () =>
        this.#settle(failed('PLUGIN_CRASHED', 'Its container ended before the call')),
      );
  }

  onPhase(phase: StartPhase): void {
    this.#plan.stopwatch.lap(phase);
    if (this.#isSettled() || this.#expired !== undefined) return;
    if (phase === 'startMs') {
      this.#limit(BOOT_DEADLINE_MS, () => this.#expire(`Node did not come up within ${BOOT_DEADLINE_MS} ms`));
    }
    if (phase === 'bootMs') this.begin();
  }

  onMessage(message: Exclude<RunnerMessage, { kind: 'ready' }>): void {
    if (message.kind === 'settled') this.#endGrace(message);
    if (message.kind === 'log' && this.#isSettled()) this.#notePrintedLate();
    if (this.#isSettled() || message.kind === 'settled') return;
    if (message.kind === 'log') this.logs.add(message.level, 'console', message.message);
    else if (message.kind === 'warning') this.logs.warn(message.path, message.message);
    else if (message.kind === 'progress') this.#tellProgress(message.fraction, message.message ?? '');
    else if (message.id !== this.#requestId || this.#answer !== null) this.#settle(unasked(message.id));
    else if (message.kind === 'error') {
      this.#hasAnswered = message.code === RUNNER_ERRORS.pluginFailed;
      this.#takeAnswer(endingOfResponse(message));
    } else {
      this.#hasAnswered = true;
      this.#takeAnswer({ outcome: 'OK', result: message.result });
    }
  }

  onLine(source: 'stdout' | 'stderr', text: string, cutBytes: number): void {
    if (this.#isSettled()) this.#notePrintedLate();
    else this.logs.addLine(source, text, cutBytes);
  }

  onSurplus(surplus: Surplus): void {
    if (this.#isSettled()) this.#notePrintedLate();
    else this.logs.addSurplus(surplus);
  }

  onOutputEnd(id: number): void {
    if (id !== this.#requestId) return;
    this.#hasAllOutput = true;
    if (this.#answer !== null) this.#settle(this.#answer);
  }

  onEnd(ending: Ending): void {
    this.#after.end({ hasEnded: this.#hasAnswered && this.#isSettled() });
    this.#settle(this.#expired ?? ending);
  }

  /** The answer is there; what was printed to stderr before it comes by another way, and may be a moment later. */
  #takeAnswer(ending: Ending): void {
    this.#answer = ending;
    if (this.#hasAllOutput) this.#settle(ending);
    // After the deadline the rest is waited for already.
    else if (this.#expired === undefined) this.#limit(OUTPUT_END_MS, () => this.#settle(ending));
  }

  #endGrace({ id, cut, error }: Extract<RunnerMessage, { kind: 'settled' }>): void {
    if (id !== this.#requestId) return;
    // After an error it ends by itself.
    this.#isEnding = error !== undefined;
    this.#after.end({ wasCut: cut, hasEnded: this.#isEnding, error: error ?? null });
  }

  #notePrintedLate(): void {
    if (this.#hasAnswered) this.#after.notePrinted();
  }

  /** Once nothing more of this execution can come. */
  #tellLost(): void {
    const { lost } = this.#after;
    if (lost !== null) this.#plan.onLost(lost);
  }

  // A listener that throws cannot change the execution.
  #tellProgress(fraction: number, message: string): void {
    try {
      this.#plan.onProgress?.(fraction, escapeAndCut(message, MAX_PROGRESS_CHARS));
    } catch (error) {
      this.#plan.logger.warn({ err: error }, 'a progress listener threw');
    }
  }

  #limit(ms: number, onExpired: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onExpired, ms);
  }

  /** The deadline: kill first, then read on to the end, so that an answer written in time still counts. */
  #expire(detail: string): void {
    const ending = failed('TIMEOUT', detail);
    this.#expired = ending;
    this.#drain(ending);
    this.#resolveUsage(this.#container.measure());
    void this.usage.then(() => this.#container.kill());
  }

  /** In slices: a host that stands still meanwhile comes to its timers first, and has yet to read what is there. */
  #drain(ending: Ending, slices: number = DRAIN_SLICES): void {
    const next = (): void => (slices > 1 ? this.#drain(ending, slices - 1) : this.#settle(ending));
    this.#limit(DRAIN_MS / DRAIN_SLICES, next);
  }

  #watchCaller(): void {
    const { signal } = this.#plan;
    const cancel = (): void => this.#settle(failed('CANCELLED', ''));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true, signal: this.#settled.signal });
  }

  #isSettled(): boolean {
    return this.#settled.signal.aborted;
  }

  /** An answer that came is what counts, whatever happens while the rest of the output is waited for. */
  #settle(cause: Ending): void {
    if (this.#isSettled()) return;
    const ending = this.#answer ?? cause;
    if (this.#answer !== null && !this.#hasAllOutput)
      this.logs.warn('', 'the end of what was printed to stderr did not come, so lines may be missing');
    clearTimeout(this.#timer);
    this.#plan.stopwatch.lap(this.#phase());
    this.#settled.abort(SETTLED);
    this.#resolveBegun();
    // What has answered may leave by itself, or be reused.
    if (this.#hasAnswered) this.#container.answered();
    else this.#container.stopWaiting();
    this.#resolveUsage(this.#container.measure());
    this.#resolveEnding(ending);
  }

  #phase(): 'createMs' | 'startMs' | 'bootMs' | 'runMs' {
    if (this.#requestId !== undefined) return 'runMs';
    const { phase } = this.#container;
    return phase === 'runMs' ? 'bootMs' : phase;
  }

  async #release(ending: Ending): Promise<void> {
    await this.usage;
    const mayGoOn = this.#hasAnswered && this.#expired === undefined;
    if (mayGoOn) await this.#after.wait(LEAVE_MS);
    // A plugin that is too busy says nothing, and would not hear the next call.
    const isBusy = mayGoOn && !this.#after.isOver;
    if (isBusy) this.#after.end({ wasCut: true });
    if (mayGoOn && !isBusy && !this.#isEnding && (await this.#plan.reuse?.(this.#container))) {
      this.#tellLost();
      return;
    }
    // What handlers of `exit` print then is the last that can come.
    if (ending.outcome === 'OK') await this.#container.hangUp(LEAVE_MS);
    this.#tellLost();
    this.#container.stopWaiting();
    if (this.#plan.signal?.aborted && this.#container.cancel()) await delay(CANCEL_GRACE_MS);
    await this.#container.close();
    this.#plan.stopwatch.lap('teardownMs');
  }
}
