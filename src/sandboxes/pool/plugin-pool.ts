import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { MemoryReservation, Slot } from '../../calls/admission/admission.ts';
import type { Ending } from '../../calls/ending.ts';
import type { Logger } from '../../logger.ts';
import type { Container, ContainerPlan, ContainerUser } from '../container/container.ts';
import type { ContainerFactory } from '../container/container-factory.ts';
import type { AcquiredContainer, ContainerSource } from '../container/container-source.ts';
import type { ReadyContainer } from '../container/execution.ts';
import type { SandboxImage } from '../plugin-sandbox.ts';
import { BackOff, type Blame, blameOf } from './back-off.ts';
import { Demand } from './demand.ts';
import { IdleContainer } from './idle-container.ts';
import { toKey } from './key.ts';
import { ReusedContainers } from './reused-containers.ts';

export interface PluginPoolOptions {
  readonly containers: ContainerFactory;
  readonly image: SandboxImage;
  readonly preload: boolean;
  readonly warm: number | 'adaptive';
  readonly logger: Logger;
}

/** What the containers of one plugin need of the pool that they belong to. */
export interface PluginPoolKeeper {
  /** `null` where no memory is to be had now. */
  reserveMemory(bytes: number): MemoryReservation | null;
  /** Ends waiting containers until so much memory is free. */
  makeRoom(bytes: number): void;
  /** Something changed that sizes depend on. */
  onChange(pluginPool: PluginPool): void;
  /** A call starts a container of its own. */
  onOwnStart(): Disposable;
  /** Resolves with how many are ready, when all are or no more can be. */
  prewarm(pluginPool: PluginPool, size: number): Promise<number>;
  /** It wants to be forgotten. */
  onClosed(pluginPool: PluginPool): void;
}

/** How long a container that only tries to load a plugin waits for its memory, and after what time it is looked for again. */
const ROOM_MS = 3_000;
const ROOM_PAUSE_MS = 100;

/** One that waits, and what it was made from. */
interface Waiting {
  readonly idle: IdleContainer;
  readonly key: string;
  readonly startedAt: number;
}

/** The idle containers of one plugin version under one grant. */
export class PluginPool implements ContainerSource {
  readonly #options: PluginPoolOptions;
  readonly #keeper: PluginPoolKeeper;
  readonly #demand: Demand;
  readonly #backOff = new BackOff();
  readonly #reused: ReusedContainers;
  readonly #waiting = new Set<Waiting>();
  /** What they were that calls have taken, in case one gives its own back. */
  readonly #acquired = new WeakMap<Container, Waiting>();
  /** Acquired ones that may come back: none is started in their place meanwhile. */
  readonly #lent = new Set<Container>();
  /** Those that only try whether the plugin can be loaded. */
  readonly #trials = new Set<IdleContainer>();
  /** What closing waits for. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Of what is started now; a container of anything else is not given out. */
  #key: string | undefined;
  #starting = 0;
  #hadImage = false;

  constructor(options: PluginPoolOptions, keeper: PluginPoolKeeper) {
    const { warm, containers, logger } = options;
    const { grant } = containers;
    this.#options = options;
    this.#keeper = keeper;
    this.#demand = new Demand(warm);
    this.#reused = new ReusedContainers({
      grant,
      end: (idle) => this.#end(idle),
      onLost: () => keeper.onChange(this),
      logger,
    });
  }

  get plugin(): string {
    return this.#options.containers.grant.plugin;
  }

  get memoryBytes(): number {
    return this.#options.containers.grant.memoryBytes;
  }

  /** Waiting, about to, or perhaps again in a moment. */
  get size(): number {
    return this.#waiting.size + this.#starting + this.#lent.size;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get readyCount(): number {
    return [...this.#waiting].filter(({ idle }) => idle.isReady).length;
  }

  get reusedCount(): number {
    return this.#reused.size;
  }

  /** What those hold that are there and are not being ended. */
  get heldBytes(): number {
    return (this.waitingCount + this.reusedCount + this.#trials.size) * this.memoryBytes;
  }

  get isStarting(): boolean {
    return this.#starting > 0 || [...this.#waiting].some(({ idle }) => !idle.isReady);
  }

  /** Whether a container may be started now; after failures only from time to time. */
  mayStart(now: number): boolean {
    return !this.#isClosed() && this.#backOff.mayTry(now);
  }

  /** How many somebody has asked for in so many words. */
  firmSize(now: number): number {
    return this.#demand.firmSize(now);
  }

  /** How many should wait, if there were room for all. */
  targetSize(now: number): number {
    return this.#demand.targetSize(now);
  }

  /** What the container number `size` is worth for each byte of its memory. */
  gain(size: number, now: number): number {
    return this.#demand.gain(size, now) / this.memoryBytes;
  }

  prewarm(size: number): Promise<number> {
    return this.#keeper.prewarm(this, size);
  }

  /** So many are wanted for a minute. */
  want(size: number): void {
    this.#demand.prewarm(size);
    // Who asks for it wants it tried now.
    this.#backOff.end();
    this.#keeper.onChange(this);
  }

  acquire(session: string | null): AcquiredContainer | null {
    return this.#reused.acquire(session) ?? this.#acquireWaiting();
  }

  arrived(acquired: AcquiredContainer | null = null): void {
    if (acquired !== null) this.#lent.delete(acquired.ready.container);
    this.#demand.arrived();
    this.#keeper.onChange(this);
  }

  startsItsOwn(): Disposable {
    return this.#keeper.onOwnStart();
  }

  reuse(container: Container, slot: Slot, session: string | null): boolean {
    if (this.#isClosed() || !this.#reused.add(container, slot, session)) return false;
    // Also where it ends by itself: closing waits for that.
    void this.#awaitAtClose(container.removed);
    this.#keeper.onChange(this);
    return true;
  }

  giveBack({ ready, kind }: AcquiredContainer, slot: Slot, session: string | null): boolean {
    this.#lent.delete(ready.container);
    if (this.#isClosed()) return false;
    const isBack =
      kind === 'reused' ? this.#reused.takeBack(ready, slot, session) : this.#takeBack(ready, slot);
    if (isBack) this.#keeper.onChange(this);
    return isBack;
  }

  /**
   * Starts one more, if there is memory for it then; resolves when that is waiting or has failed. `slot` is given back when
   * Node is up: the engine has done its part by then, and a plugin that never finishes loading is in nobody's way. Where the
   * image may have to be built first it is given back at once: a build takes as long as the plugin makes it take.
   */
  async start(slot: Disposable): Promise<void> {
    const mayBuild = !this.#hadImage;
    if (mayBuild) slot[Symbol.dispose]();
    const waiting = await this.#awaitAtClose(this.#tryToBegin());
    await waiting?.idle.booted;
    if (!mayBuild) slot[Symbol.dispose]();
    await waiting?.idle.settled;
    if (waiting?.idle.isReady) this.#demand.refilled(performance.now() - waiting.startedAt);
    this.#keeper.onChange(this);
  }

  /**
   * Loads the plugin in a container that serves no call, and answers how that ended; what its manifest wants loaded by a call
   * only is `OK` when Node is up. `null`: nobody can tell, because there was no memory to try it, or a call needed that.
   */
  async tryLoading(signal?: AbortSignal): Promise<Ending | null> {
    const plan = await this.#plan();
    let ending: Ending | null = null;
    const onLost = (_idle: IdleContainer, lost: Ending): void => {
      ending = lost;
    };
    const idle = plan === null ? null : await this.#startWithRoom(plan, onLost, signal);
    if (idle === null) return null;
    this.#trials.add(idle);
    await idle.settled;
    if (idle.isReady) ending = { outcome: 'OK', result: null };
    if (this.#trials.delete(idle)) void this.#end(idle);
    return ending;
  }

  async #startWithRoom(
    plan: ContainerPlan,
    onLost: (idle: IdleContainer, ending: Ending) => void,
    signal: AbortSignal | undefined,
  ): Promise<IdleContainer | null> {
    const until = performance.now() + ROOM_MS;
    for (;;) {
      const idle = this.#isClosed() || signal?.aborted ? null : this.#startIdle(plan, onLost);
      if (idle !== null || this.#isClosed() || signal?.aborted || performance.now() >= until) return idle;
      this.#keeper.makeRoom(this.memoryBytes);
      await delay(ROOM_PAUSE_MS);
    }
  }

  async #tryToBegin(): Promise<Waiting | null> {
    this.#starting++;
    try {
      return await this.#begin();
    } catch (error) {
      if (!this.#isClosed()) this.#fail('engine', { err: error });
      return null;
    } finally {
      this.#starting--;
    }
  }

  /** Ends the one that has waited longest. Resolves when it is gone; `null` when none waits. */
  dropWaiting(): Promise<void> | null {
    const [first] = this.#waiting;
    return first === undefined ? null : this.#drop(first);
  }

  /** Ends the reused one that was not used for longest. Resolves when it is gone; `null` when none is there. */
  dropReused(): Promise<void> | null {
    return this.#reused.dropLeastUsed();
  }

  /** Ends one that only tries to load the plugin. Resolves when it is gone; `null` when there is none. */
  dropTrial(): Promise<void> | null {
    const [first] = this.#trials;
    if (first === undefined) return null;
    this.#trials.delete(first);
    return this.#end(first);
  }

  /** When the reused container that waits longest was used last; `Infinity` where there is none. */
  get oldestUse(): number {
    return this.#reused.oldestUse;
  }

  /** Ends what has waited, or was kept, for too long. */
  dropOld(now: number, maxAgeMs: number): void {
    for (const waiting of this.#waiting) if (now - waiting.startedAt > maxAgeMs) void this.#drop(waiting);
    this.#reused.dropOld();
  }

  /** Ends what computes although nobody calls it. */
  async dropBusy(): Promise<void> {
    for (const waiting of [...this.#waiting]) {
      if (!(await waiting.idle.computes()) || !this.#waiting.has(waiting)) continue;
      void this.#drop(waiting);
      this.#fail('plugin', { reason: 'it goes on computing after it was loaded' });
    }
    await this.#reused.dropBusy();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const waiting of [...this.#waiting]) void this.#drop(waiting);
    while ((this.dropReused() ?? this.dropTrial()) !== null);
    this.#keeper.onClosed(this);
    await Promise.all(this.#pending);
  }

  async #begin(): Promise<Waiting | null> {
    const plan = await this.#plan();
    if (plan === null) return null;
    const { image, grant, entryPoint } = plan;
    this.#useKey(toKey({ image, grant, entryPoint, preload: this.#options.preload }));
    const onLost = (_idle: IdleContainer, ending: Ending): void => this.#lose(waiting, ending);
    const idle = this.#startIdle(plan, onLost);
    if (idle === null) return null;
    const waiting: Waiting = { idle, key: this.#key as string, startedAt: performance.now() };
    this.#waiting.add(waiting);
    return waiting;
  }

  /** `null` once it is closed. */
  async #plan(): Promise<ContainerPlan | null> {
    const { containers, image, logger } = this.#options;
    const engine = await containers.connect();
    if (this.#isClosed()) return null;
    const imageId = await image.prepare(this.#closing.signal);
    this.#hadImage = true;
    if (this.#isClosed()) return null;
    const id = randomUUID();
    return containers.plan({
      id,
      engine,
      image: imageId,
      logger: logger.child({ sandboxId: id, plugin: this.plugin }),
    });
  }

  /** `null` when there is no memory for it. Not before its image is there: a call could not have the memory back meanwhile. */
  #startIdle(
    plan: ContainerPlan,
    onLost: (idle: IdleContainer, ending: Ending) => void,
  ): IdleContainer | null {
    const memory = this.#keeper.reserveMemory(this.memoryBytes);
    if (memory === null) return null;
    const { containers, preload } = this.#options;
    const { timeoutMs } = plan.grant;
    const start = (user: ContainerUser): Container => containers.start(plan, user);
    const idle = IdleContainer.start(start, { preload, timeoutMs }, { memory, onLost });
    void this.#awaitAtClose(idle.container.removed);
    return idle;
  }

  #acquireWaiting(): AcquiredContainer | null {
    for (const waiting of this.#waiting) {
      // Never one of another image or grant: then the call starts its own.
      if (!waiting.idle.isReady || waiting.key !== this.#key) continue;
      this.#waiting.delete(waiting);
      this.#acquired.set(waiting.idle.container, waiting);
      this.#lent.add(waiting.idle.container);
      this.#backOff.succeed();
      return { ready: waiting.idle.leave(), memory: waiting.idle.memory, kind: 'warm' };
    }
    return null;
  }

  /** One that waited, was acquired and not called. */
  #takeBack(ready: ReadyContainer, slot: Slot): boolean {
    const before = this.#acquired.get(ready.container);
    if (before === undefined || before.key !== this.#key || !ready.container.isAlive) return false;
    slot.keepMemory((memory) => {
      const onLost = (_idle: IdleContainer, ending: Ending): void => this.#lose(waiting, ending);
      const idle = IdleContainer.takeBack(ready, { memory, onLost });
      const waiting: Waiting = { ...before, idle };
      this.#waiting.add(waiting);
    });
    return true;
  }

  #lose(waiting: Waiting, ending: Ending): void {
    this.#waiting.delete(waiting);
    const reason = ending.outcome === 'OK' ? '' : ending.error.message;
    this.#fail(blameOf(ending), { reason }, waiting.idle.container.isReady);
    this.#keeper.onChange(this);
  }

  #useKey(key: string): void {
    this.#key = key;
    for (const waiting of this.#waiting) if (waiting.key !== key) void this.#drop(waiting);
  }

  #drop(waiting: Waiting): Promise<void> {
    this.#waiting.delete(waiting);
    return this.#end(waiting.idle);
  }

  async #end(idle: IdleContainer): Promise<void> {
    await this.#awaitAtClose(idle.close());
    // Its memory is to be had again.
    this.#keeper.onChange(this);
  }

  #awaitAtClose<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    return work.finally(() => this.#pending.delete(work));
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The calls meanwhile start containers of their own and are told what is wrong. */
  #fail(blame: Blame, facts: object, wasUp = false): void {
    const pauseMs = this.#backOff.fail(blame, { wasUp });
    const { plugin } = this;
    this.#options.logger.warn({ ...facts, plugin, pauseMs }, 'a container that was started ahead was lost');
  }
}
