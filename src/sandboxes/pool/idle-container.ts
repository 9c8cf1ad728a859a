import type { MemoryReservation } from '../../calls/admission/admission.ts';
import { type Ending, endingOfResponse, failed, unasked } from '../../calls/ending.ts';
import { LogBook } from '../../calls/logs.ts';
import type { Surplus } from '../../calls/surplus.ts';
import { LOAD_ID } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import {
  BOOT_DEADLINE_MS,
  type Container,
  type ContainerUser,
  type StartPhase,
} from '../container/container.ts';
import type { ReadyContainer } from '../container/execution.ts';

/** Of one core; what a loaded plugin may compute while nobody calls it. */
const MAX_CPU_SHARE = 0.05;

export interface IdleOptions {
  readonly memory: MemoryReservation;
  /** Told once, when it has ended by itself: it failed, or somebody ended it. */
  readonly onLost: (idle: IdleContainer, ending: Ending) => void;
}

interface Loading {
  /** Whether the plugin is loaded before a call comes. */
  readonly preload: boolean;
  /** How long it may load. */
  readonly timeoutMs: number;
}

/** A container that nobody calls right now. Whatever ends it, its memory is given back when it is gone. */
export class IdleContainer implements ContainerUser {
  readonly isIdle = true;
  readonly container: Container;
  readonly memory: MemoryReservation;
  readonly logs: LogBook;
  /** Resolves when Node is up in it, or never will be. */
  readonly booted: Promise<void>;
  /** Resolves when it takes a call, or never will. */
  readonly settled: Promise<void>;
  readonly #onLost: IdleOptions['onLost'];
  readonly #preload: boolean;
  readonly #loadDeadlineMs: number;
  readonly #boot: () => void;
  readonly #settle: () => void;
  #timer: NodeJS.Timeout | undefined;
  #lastLook: { readonly cpuTimeMs: number; readonly at: number } | undefined;
  #isReady = false;
  #isOver = false;

  private constructor(
    { memory, onLost }: IdleOptions,
    from: ({ start: (user: ContainerUser) => Container } & Loading) | { ready: ReadyContainer },
  ) {
    this.memory = memory;
    this.#onLost = onLost;
    ({ promise: this.booted, resolve: this.#boot } = Promise.withResolvers<void>());
    ({ promise: this.settled, resolve: this.#settle } = Promise.withResolvers<void>());
    this.logs = 'start' in from ? new LogBook() : from.ready.logs;
    if ('start' in from) {
      this.#preload = from.preload;
      this.#loadDeadlineMs = from.timeoutMs;
      this.container = from.start(this);
    } else {
      this.#preload = false;
      this.#loadDeadlineMs = 0;
      this.container = from.ready.container;
      this.container.handTo(this);
      this.#becomeReady();
    }
  }

  /** Starts a container and, with `preload`, loads the plugin in it. */
  static start(
    start: (user: ContainerUser) => Container,
    loading: Loading,
    options: IdleOptions,
  ): IdleContainer {
    return new IdleContainer(options, { start, ...loading });
  }

  /** Looks after one that has served a call, or that nobody made use of since it was left. */
  static takeBack(ready: ReadyContainer, options: IdleOptions): IdleContainer {
    return new IdleContainer(options, { ready });
  }

  /** Whether it takes a call: it is loaded, and connected. */
  get isReady(): boolean {
    return this.#isReady && !this.#isOver && this.container.isAlive;
  }

  /**
   * Whether it has computed since it was asked last, although nobody calls it. Where this host cannot see the accounts of
   * the kernel nothing is known.
   */
  async computes(): Promise<boolean> {
    if (!this.isReady) return false;
    const { cpuTimeMs } = await this.container.measure();
    if (cpuTimeMs === null || !this.isReady) return false;
    const [before, now] = [this.#lastLook, { cpuTimeMs, at: performance.now() }];
    this.#lastLook = now;
    return before !== undefined && now.cpuTimeMs - before.cpuTimeMs > (now.at - before.at) * MAX_CPU_SHARE;
  }

  /** For whoever hands it to an execution now. */
  leave(): ReadyContainer {
    this.#isOver = true;
    return { container: this.container, logs: this.logs };
  }

  /** Ends it. Resolves when it is gone, and gives its memory back then. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#boot();
    this.#settle();
    await this.container.close();
    this.memory.release();
  }

  onPhase(phase: StartPhase): void {
    if (this.#isOver) return;
    if (phase === 'startMs') this.#limit(BOOT_DEADLINE_MS, 'Node did not come up');
    if (phase !== 'bootMs') return;
    this.#boot();
    if (!this.#preload) {
      this.#becomeReady();
      return;
    }
    this.container.load();
    this.#limit(this.#loadDeadlineMs, 'The plugin was not loaded');
  }

  onMessage(message: Exclude<RunnerMessage, { kind: 'ready' }>): void {
    if (message.kind === 'log') this.logs.add(message.level, 'console', message.message);
    else if (message.kind === 'warning') this.logs.warn(message.path, message.message);
    else if (message.kind === 'progress' || message.kind === 'settled') return;
    else if (message.id !== LOAD_ID || this.#isReady) this.onEnd(unasked(message.id));
    else if (message.kind === 'error') this.onEnd(endingOfResponse(message));
    else this.#becomeReady();
  }

  onLine(source: 'stdout' | 'stderr', text: string, cutBytes: number): void {
    this.logs.addLine(source, text, cutBytes);
  }

  onSurplus(surplus: Surplus): void {
    this.logs.addSurplus(surplus);
  }

  /** Of a call that has been answered. */
  onOutputEnd(): void {}

  onEnd(ending: Ending): void {
    if (this.#isOver) return;
    void this.close();
    this.#onLost(this, ending);
  }

  #limit(ms: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.onEnd(failed('TIMEOUT', `${what} within ${ms / 1000} s`)), ms);
  }

  #becomeReady(): void {
    clearTimeout(this.#timer);
    this.#isReady = true;
    this.container.rest();
    this.#settle();
  }
}
