import type { MemoryReservation } from '../../calls/admission/admission.ts';
import { type Ending, endingOfResponse, failed, unasked } from '../../calls/ending.ts';
import { LogBook } from '../../calls/logs.ts';
import type { Surplus } from '../../calls/surplus.ts';
import { LOAD_ID } from '../../protocol/messages.ts';
import type { RunnerMessage } from '../../protocol/runner-message.ts';
import type { Container } from '../container/container.ts';
import { BOOT_DEADLINE_MS } from '../container/container-end.ts';
import type { ContainerUser, StartPhase } from '../container/container-plan.ts';
import type { AcquiredContainer } from '../container/container-source.ts';

/** Share of one core that a loaded plugin may use while no call runs. */
const MAX_CPU_SHARE = 0.05;

export interface IdleOptions {
  readonly memory: MemoryReservation;
  /** Told once, when it has ended by itself: it failed, or somebody ended it. */
  readonly onLost: (idle: IdleContainer, ending: Ending) => void;
}

/** How a container comes to wait. */
export interface Loading {
  readonly start: (user: ContainerUser) => Container;
  /** Whether the plugin is loaded before a call comes. */
  readonly preload: boolean;
  /** How long it may load. */
  readonly timeoutMs: number;
  /** What it is made from; a call is given none of anything else. */
  readonly key: string | null;
}

/** A container that has served a call, and whose calls it may serve; `null`: everybody's. */
export interface Served {
  readonly container: Container;
  readonly session: string | null;
}

/**
 * A container that nobody calls right now: where it is in its life the container says. Whatever ends it, its memory is given
 * back when it is gone.
 */
export class IdleContainer implements ContainerUser, AcquiredContainer {
  readonly isIdle = true;
  readonly requestSignal = null;
  readonly container: Container;
  readonly logs = new LogBook();
  readonly kind: 'warm' | 'reused';
  readonly key: string | null = null;
  readonly session: string | null = null;
  /** When it was started, or served a call last. */
  since = performance.now();
  /** Resolves when Node is up in it, or never will be. */
  readonly booted: Promise<void>;
  /** Resolves when it takes a call, or never will. */
  readonly settled: Promise<void>;
  readonly #onLost: IdleOptions['onLost'];
  readonly #loading: Loading | null = null;
  readonly #boot: () => void;
  readonly #settle: () => void;
  #memory: MemoryReservation;
  #timer: NodeJS.Timeout | undefined;
  #lastLook: { readonly cpuTimeMs: number; readonly at: number } | undefined;

  /** Starts a container and, where that is wanted, loads the plugin in it; or looks after one that has served a call. */
  constructor(from: Loading | Served, { memory, onLost }: IdleOptions) {
    this.#memory = memory;
    this.#onLost = onLost;
    ({ promise: this.booted, resolve: this.#boot } = Promise.withResolvers<void>());
    ({ promise: this.settled, resolve: this.#settle } = Promise.withResolvers<void>());
    if ('start' in from) {
      this.kind = 'warm';
      this.key = from.key;
      this.#loading = from;
      this.container = from.start(this);
    } else {
      this.kind = 'reused';
      this.session = from.session;
      this.container = from.container;
      this.container.handTo(this);
      this.#rest('reuse');
    }
  }

  get memory(): MemoryReservation {
    return this.#memory;
  }

  /** Whether it takes a call: it is loaded, and connected. */
  get isReady(): boolean {
    return this.container.isIdle;
  }

  /** Whether a call has it that has not begun in it. */
  get isAcquired(): boolean {
    return this.container.lastAlive === 'acquired';
  }

  /** For a call, which has its memory from now on. */
  acquire(): this {
    this.container.acquire();
    return this;
  }

  /** The call made no use of it, and leaves it this memory. */
  takeBack(memory: MemoryReservation): void {
    this.#memory = memory;
    if (this.kind === 'reused') this.since = performance.now();
    this.#rest('giveBack');
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

  /** Ends it. Resolves when it is gone, and gives its memory back then. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#boot();
    this.#settle();
    await this.container.close();
    this.#memory.release();
  }

  onPhase(phase: StartPhase): void {
    if (this.#loading === null) return;
    const { preload, timeoutMs } = this.#loading;
    if (phase === 'startMs') this.#limit(BOOT_DEADLINE_MS, 'Node did not come up');
    if (phase !== 'bootMs') return;
    this.#boot();
    if (!preload) {
      this.#rest('ready');
      return;
    }
    this.container.load();
    this.#limit(timeoutMs, 'The plugin was not loaded');
  }

  onMessage(message: Exclude<RunnerMessage, { kind: 'ready' }>): void {
    if (message.kind === 'log') this.logs.add(message.level, 'console', message.message);
    else if (message.kind === 'warning') this.logs.warn(message.path, message.message);
    else if (message.kind === 'progress' || message.kind === 'settled') return;
    else if (message.id !== LOAD_ID || this.container.state !== 'loading')
      this.container.end(unasked(message.id));
    else if (message.kind === 'error') this.container.end(endingOfResponse(message));
    else this.#rest('loaded');
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
    // A call that has acquired it finds out by itself.
    if (this.isAcquired) return;
    void this.close();
    this.#onLost(this, ending);
  }

  #limit(ms: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.container.end(failed('TIMEOUT', `${what} within ${ms / 1000} s`)),
      ms,
    );
  }

  #rest(why: 'ready' | 'loaded' | 'giveBack' | 'reuse'): void {
    clearTimeout(this.#timer);
    this.container.rest(why);
    this.#settle();
  }
}
