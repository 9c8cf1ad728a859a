import type { Slot } from '../../calls/admission/admission.ts';
import type { Ending } from '../../calls/ending.ts';
import type { Container } from '../container/container.ts';
import type { ContainerSource } from '../container/container-source.ts';
import { BackOff, type Blame, blameOf } from './back-off.ts';
import { Demand } from './demand.ts';
import type { IdleContainer } from './idle-container.ts';
import { ReusedContainers } from './reused-containers.ts';
import { Starter, type StarterKeeper, type StarterOptions } from './starter.ts';

export interface PluginPoolOptions extends StarterOptions {
  readonly warm: number | 'adaptive';
}

/** What the containers of one plugin need of the pool that they belong to. */
export interface PluginPoolKeeper extends Omit<StarterKeeper, 'end' | 'onStarted'> {
  /** Something changed that sizes depend on. */
  onChange(pluginPool: PluginPool): void;
  /** A call starts a container of its own. */
  onOwnStart(): Disposable;
  /** Resolves with how many are ready, when all are or no more can be. */
  prewarm(pluginPool: PluginPool, size: number): Promise<number>;
  /** The plugin pool has closed; it is forgotten. */
  onClosed(pluginPool: PluginPool): void;
}

/** The idle containers of one plugin version under one grant. */
export class PluginPool implements ContainerSource {
  readonly #options: PluginPoolOptions;
  readonly #keeper: PluginPoolKeeper;
  readonly #demand: Demand;
  readonly #backOff = new BackOff();
  readonly #starter: Starter;
  readonly #reused: ReusedContainers;
  /** Started ahead, the oldest first. One that a call has acquired may come back, so none is started in its place meanwhile. */
  readonly #waiting = new Set<IdleContainer>();
  /** What closing waits for. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Key of what is started now; a container with another key is not given out. */
  #key: string | null = null;
  #starting = 0;

  constructor(options: PluginPoolOptions, keeper: PluginPoolKeeper) {
    const { warm, containers, logger } = options;
    this.#options = options;
    this.#keeper = keeper;
    this.#demand = new Demand(warm);
    const end = (idle: IdleContainer): Promise<void> => this.#end(idle);
    const onStarted = ({ container }: IdleContainer): void => void this.#awaitAtClose(container.removed);
    this.#starter = new Starter(options, { ...keeper, onStarted, end }, this.#closing.signal);
    const onLost = (): void => keeper.onChange(this);
    this.#reused = new ReusedContainers({ grant: containers.grant, end, onLost, logger });
  }

  get plugin(): string {
    return this.#options.containers.grant.plugin;
  }

  get memoryBytes(): number {
    return this.#options.containers.grant.memoryBytes;
  }

  /** Waiting, about to, or perhaps again in a moment. */
  get size(): number {
    return this.#waiting.size + this.#starting;
  }

  get waitingCount(): number {
    return this.#idle.length;
  }

  get readyCount(): number {
    return this.#idle.filter(({ isReady }) => isReady).length;
  }

  get reusedCount(): number {
    return this.#reused.size;
  }

  /** Memory of the containers that are there and are not being ended. */
  get heldBytes(): number {
    return (this.waitingCount + this.reusedCount + this.#starter.triedCount) * this.memoryBytes;
  }

  get isStarting(): boolean {
    return this.#starting > 0 || this.#idle.some(({ isReady }) => !isReady);
  }

  /** Whether a container may be started now; after failures only from time to time. */
  mayStart(now: number): boolean {
    return !this.#isClosed() && this.#backOff.mayTry(now);
  }

  /** Number that was asked for explicitly, by the policy or by `prewarm`. */
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

  /** Keeps `size` containers warm for one minute. */
  want(size: number): void {
    this.#demand.prewarm(size);
    // Whoever asks for it wants it tried now.
    this.#backOff.end();
    this.#keeper.onChange(this);
  }

  acquire(session: string | null): IdleContainer | null {
    const reused = this.#reused.acquire(session);
    if (reused !== null) return reused;
    for (const idle of this.#waiting) {
      // Never one of another image or grant: then the call starts its own.
      if (!idle.isReady || idle.key !== this.#key) continue;
      this.#backOff.succeed();
      return idle.acquire();
    }
    return null;
  }

  arrived(acquired: IdleContainer | null): void {
    if (acquired !== null) this.#waiting.delete(acquired);
    this.#demand.arrived();
    this.#keeper.onChange(this);
  }

  giveBack(acquired: IdleContainer, slot: Slot): boolean {
    const isBack = !this.#isClosed() && this.#takeBack(acquired, slot);
    if (!isBack) this.#waiting.delete(acquired);
    this.#keeper.onChange(this);
    return isBack;
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

  /**
   * Starts one more, if there is memory for it then; resolves when that is waiting or has failed. `slot` is given back when
   * Node is up: the engine has done its part by then, and a plugin that never finishes loading is in nobody's way. Where the
   * image may have to be built first it is given back at once: a build takes as long as the plugin makes it take.
   */
  async start(slot: Disposable): Promise<void> {
    const mayBuild = !this.#starter.hadImage;
    if (mayBuild) slot[Symbol.dispose]();
    const idle = await this.#awaitAtClose(this.#tryToBegin());
    await idle?.booted;
    if (!mayBuild) slot[Symbol.dispose]();
    await idle?.settled;
    if (idle?.isReady) this.#demand.refilled(performance.now() - idle.since);
    this.#keeper.onChange(this);
  }

  tryLoading(signal?: AbortSignal): Promise<Ending | null> {
    return this.#starter.tryLoading(signal);
  }

  /** Ends the one that has waited longest. Resolves when it is gone; `null` when none waits. */
  dropWaiting(): Promise<void> | null {
    const [first] = this.#idle;
    return first === undefined ? null : this.#drop(first);
  }

  /** Ends the reused one that was not used for longest. Resolves when it is gone; `null` when none is there. */
  dropReused(): Promise<void> | null {
    return this.#reused.dropLeastUsed();
  }

  /** Ends one that only tries to load the plugin. Resolves when it is gone; `null` when there is none. */
  dropTry(): Promise<void> | null {
    return this.#starter.dropTry();
  }

  /** When the reused container that waits longest was used last; `Infinity` where there is none. */
  get oldestUse(): number {
    return this.#reused.oldestUse;
  }

  /** Ends what has waited, or was reused, for too long. */
  dropOld(now: number, maxAgeMs: number): void {
    for (const idle of this.#idle) if (now - idle.since > maxAgeMs) void this.#drop(idle);
    this.#reused.dropOld();
  }

  /** Ends what computes although nobody calls it. */
  async dropBusy(): Promise<void> {
    for (const idle of this.#idle) {
      if (!(await idle.computes()) || !this.#waiting.has(idle) || idle.isAcquired) continue;
      void this.#drop(idle);
      this.#fail('plugin', { reason: 'it goes on computing after it was loaded' });
    }
    await this.#reused.dropBusy();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const idle of this.#idle) void this.#drop(idle);
    while ((this.dropReused() ?? this.dropTry()) !== null);
    this.#keeper.onClosed(this);
    await Promise.all(this.#pending);
  }

  /** Those that no call has. */
  get #idle(): IdleContainer[] {
    return [...this.#waiting].filter(({ isAcquired }) => !isAcquired);
  }

  async #tryToBegin(): Promise<IdleContainer | null> {
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

  async #begin(): Promise<IdleContainer | null> {
    const planned = await this.#starter.plan();
    if (planned === null) return null;
    this.#useKey(planned.key);
    const idle = this.#starter.start(planned, (lost, ending) => this.#lose(lost, ending));
    if (idle === null) return null;
    this.#waiting.add(idle);
    return idle;
  }

  #useKey(key: string): void {
    this.#key = key;
    for (const idle of this.#idle) if (idle.key !== key) void this.#drop(idle);
  }

  #takeBack(idle: IdleContainer, slot: Slot): boolean {
    if (idle.kind === 'reused') return this.#reused.takeBack(idle, slot);
    if (idle.key !== this.#key || !idle.container.isAlive) return false;
    slot.keepMemory((memory) => idle.takeBack(memory));
    return true;
  }

  #lose(idle: IdleContainer, ending: Ending): void {
    this.#waiting.delete(idle);
    const reason = ending.outcome === 'OK' ? '' : ending.error.message;
    this.#fail(blameOf(ending), { reason }, idle.container.phase === 'runMs');
    this.#keeper.onChange(this);
  }

  #drop(idle: IdleContainer): Promise<void> {
    this.#waiting.delete(idle);
    return this.#end(idle);
  }

  async #end(idle: IdleContainer): Promise<void> {
    await this.#awaitAtClose(idle.close());
    // Its memory is free again.
    this.#keeper.onChange(this);
  }

  #awaitAtClose<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    return work.finally(() => this.#pending.delete(work));
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Calls start containers of their own meanwhile, and end with the true error. */
  #fail(blame: Blame, facts: object, wasUp = false): void {
    const pauseMs = this.#backOff.fail(blame, { wasUp });
    const { plugin } = this;
    this.#options.logger.warn({ ...facts, plugin, pauseMs }, 'a container that was started ahead was lost');
  }
}
