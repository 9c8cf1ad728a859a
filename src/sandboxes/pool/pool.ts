import { LurkboxError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { leastUsed, MemoryRelief } from './memory-relief.ts';
import { PluginPool, type PluginPoolOptions } from './plugin-pool.ts';
import { shareOut } from './share-out.ts';
import { StartCount } from './start-count.ts';
import { sum } from './sum.ts';
import { WarmCeilings, type WarmCeilingsOptions } from './warm-ceilings.ts';

/** A call that takes a container has the machine to itself for a moment, before the next one is started beside it. */
const SETTLE_MS = 25;
const TICK_MS = 1_000;
/** With more active plugins than this, sizes are looked at less often: each look goes through all of them. */
const MANY = 100;
const REST_OF_MANY_MS = 100;
/** Ticks between two looks at whether waiting containers compute. */
const TICKS_PER_CPU_LOOK = 5;
/** One container more than needed is kept for this long, in case it will be needed. */
const EXCESS_MS = 10_000;

export interface PoolOptions extends WarmCeilingsOptions {
  /** How many may be there to be reused by later calls, over all plugins, and of one. */
  readonly maxReused: number;
  readonly maxReusedPerPlugin: number;
  /** How many are started at once, those that calls start themselves included; calls are never held up by it. */
  readonly startsAtOnce: number;
  readonly maxAgeMs: number;
  readonly logger: Logger;
}

/**
 * Keeps containers waiting, and decides how many of which plugin: first what somebody has asked for, then where one more
 * spares most waiting for each byte. It gives way to calls: nothing is started while one waits, and memory that one lacks
 * is freed, the least useful container first.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #pluginPools = new Set<PluginPool>();
  /** Those that have, or should have, containers; the others cost nothing. */
  readonly #active = new Set<PluginPool>();
  readonly #excessSince = new Map<PluginPool, number>();
  readonly #prewarmings = new Set<{ pluginPool: PluginPool; size: number; done: (ready: number) => void }>();
  #balancing: NodeJS.Timeout | undefined;
  #balancedAt = Number.NEGATIVE_INFINITY;
  #ticking: NodeJS.Timeout | undefined;
  #ticks = 0;
  readonly #ceilings: WarmCeilings;
  readonly #relief: MemoryRelief;
  readonly #starts: StartCount;
  /** Of which one was started ahead last. */
  #startedLast: PluginPool | undefined;
  #isClosed = false;

  constructor(options: PoolOptions) {
    const { admission, startsAtOnce } = options;
    this.#options = options;
    this.#ceilings = new WarmCeilings(options, this.#pluginPools);
    this.#relief = new MemoryRelief({ admission, all: this.#pluginPools, active: this.#active });
    this.#starts = new StartCount(startsAtOnce, () => {
      if (this.#active.size > 0) this.#schedule(SETTLE_MS);
    });
    admission.onShortage = (bytes) => this.#relief.free(bytes);
  }

  /**
   * The idle containers of one plugin, in place of others of it that are about to close.
   * @throws LurkboxError `POLICY_INVALID` when the number that the policy asks for does not fit, with both numbers
   */
  open(options: PluginPoolOptions, replaced?: PluginPool): PluginPool {
    const pluginPool: PluginPool = new PluginPool(options, {
      reserveMemory: (bytes) => this.#options.admission.reserveMemory(bytes),
      makeRoom: (bytes) => this.#relief.dropWaiting(bytes),
      onChange: (changed) => this.#changed(changed),
      prewarm: (asked, size) => this.prewarm(asked, size),
      onOwnStart: () => this.#starts.begin('own'),
      onClosed: (closed) => this.#forget(closed),
    });
    if (typeof options.warm === 'number') this.#ceilings.assertPolicyFits(pluginPool, options.warm, replaced);
    this.#pluginPools.add(pluginPool);
    if (pluginPool.firmSize(0) > 0) this.#changed(pluginPool);
    return pluginPool;
  }

  #forget(pluginPool: PluginPool): void {
    this.#pluginPools.delete(pluginPool);
    this.#active.delete(pluginPool);
    this.#excessSince.delete(pluginPool);
    for (const one of this.#prewarmings) if (one.pluginPool === pluginPool) one.done(0);
  }

  /**
   * Keeps `size` containers warm for one minute; 0 cancels. Resolves with how many wait, when all do or no more can be started.
   * @throws LurkboxError `OPTIONS_INVALID` when they do not fit, with both numbers
   */
  async prewarm(pluginPool: PluginPool, size: number): Promise<number> {
    if (!Number.isInteger(size) || size < 0)
      throw new LurkboxError(
        'OPTIONS_INVALID',
        `Expected a whole number of containers, got ${String(size)}.`,
      );
    if (this.#isClosed || !this.#pluginPools.has(pluginPool)) return 0;
    this.#ceilings.assertFits(pluginPool, size);
    const { promise, resolve } = Promise.withResolvers<number>();
    const prewarming = { pluginPool, size, done: resolve };
    this.#prewarmings.add(prewarming);
    pluginPool.want(size);
    this.#schedule(0);
    return promise.finally(() => this.#prewarmings.delete(prewarming));
  }

  /** To be told when the memory that the admission gives out has become known: what was asked for before may not fit. */
  learnCeilings(): void {
    const facts = this.#ceilings.excessMb();
    if (facts === null) return;
    this.#options.logger.warn(facts, 'the containers that should wait have no room; fewer will wait');
  }

  /** Starts no more, and ends what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#balancing);
    clearInterval(this.#ticking);
    for (const one of this.#prewarmings) one.done(0);
    await Promise.all([...this.#pluginPools].map((pluginPool) => pluginPool.close()));
  }

  #changed(pluginPool: PluginPool): void {
    if (this.#isClosed || !this.#pluginPools.has(pluginPool)) return;
    if (this.#options.maxWarm === 0 && pluginPool.reusedCount === 0) return;
    this.#active.add(pluginPool);
    this.#limitReused(pluginPool);
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS).unref();
    this.#schedule(SETTLE_MS);
  }

  #limitReused(pluginPool: PluginPool): void {
    const { maxReused, maxReusedPerPlugin } = this.#options;
    if (pluginPool.reusedCount > maxReusedPerPlugin) void pluginPool.dropReused();
    const keeping = [...this.#active];
    if (sum(keeping, ({ reusedCount }) => reusedCount) <= maxReused) return;
    const least = leastUsed(keeping);
    // A plugin that is called often would otherwise push out the few of all others.
    const most = keeping.filter(({ reusedCount }) => reusedCount >= (least?.reusedCount ?? 0) + 2);
    void (leastUsed(most) ?? least)?.dropReused();
  }

  #schedule(ms: number): void {
    if (this.#isClosed) return;
    const rest = this.#active.size > MANY ? this.#balancedAt + REST_OF_MANY_MS - performance.now() : 0;
    this.#balancing ??= setTimeout(
      () => {
        this.#balancing = undefined;
        this.#balance();
      },
      Math.max(ms, rest),
    );
    // Only somebody who waits for an answer keeps this process from ending.
    if (this.#prewarmings.size + this.#options.admission.held.waiting > 0) this.#balancing.ref();
    else this.#balancing.unref();
  }

  #tick(): void {
    const now = performance.now();
    for (const pluginPool of this.#active) pluginPool.dropOld(now, this.#options.maxAgeMs);
    if (++this.#ticks % TICKS_PER_CPU_LOOK === 0) {
      for (const pluginPool of this.#active) void pluginPool.dropBusy();
    }
    this.#balance();
  }

  /** Ends what is too much, and starts what is missing. */
  #balance(): void {
    // What was about to start, or to be reused, when a call came to lack memory could not give way then.
    this.#options.admission.retryNext();
    const now = performance.now();
    this.#balancedAt = now;
    const shares = this.#shareOut(now);
    this.#dropExcess(shares, now);
    for (const pluginPool of this.#wanting(shares, now)) {
      while (
        pluginPool.size < (shares.get(pluginPool) ?? 0) &&
        pluginPool.mayStart(now) &&
        this.#starts.mayStart
      ) {
        if (!this.#hasRoom(pluginPool) && !this.#dropSome(shares)) break;
        if (!this.#options.admission.mayReserve(pluginPool.memoryBytes)) break;
        this.#startedLast = pluginPool;
        void pluginPool.start(this.#starts.begin('ahead'));
      }
    }
    this.#answerHints(shares, now);
    for (const pluginPool of this.#active)
      if (pluginPool.size + pluginPool.reusedCount === 0 && pluginPool.targetSize(now) === 0)
        this.#active.delete(pluginPool);
    if (this.#active.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** How many containers each plugin gets of what there is. */
  #shareOut(now: number): Map<PluginPool, number> {
    const wishes = [...this.#active].map((pluginPool) => {
      const firm = pluginPool.firmSize(now);
      const target = Math.max(firm, Math.min(pluginPool.targetSize(now), this.#ceilings.mostOf(pluginPool)));
      const gain = (size: number): number => pluginPool.gain(size, now);
      return [pluginPool, { memoryBytes: pluginPool.memoryBytes, firm, target, gain }] as const;
    });
    return shareOut(new Map(wishes), this.#ceilings);
  }

  /** Those that have less than their share, where one more gains most first; but nobody twice while another one waits. */
  #wanting(shares: ReadonlyMap<PluginPool, number>, now: number): PluginPool[] {
    return [...shares]
      .filter(([pluginPool, share]) => pluginPool.size < share && pluginPool.mayStart(now))
      .map(([pluginPool]) => ({ pluginPool, gain: pluginPool.gain(pluginPool.size + 1, now) }))
      .sort((a, b) => this.#hadTurn(a.pluginPool) - this.#hadTurn(b.pluginPool) || b.gain - a.gain)
      .map(({ pluginPool }) => pluginPool);
  }

  #dropExcess(shares: ReadonlyMap<PluginPool, number>, now: number): void {
    for (const pluginPool of this.#active) {
      if (pluginPool.size <= (shares.get(pluginPool) ?? 0)) this.#excessSince.delete(pluginPool);
      else if (!this.#excessSince.has(pluginPool)) this.#excessSince.set(pluginPool, now);
      else if (now - (this.#excessSince.get(pluginPool) ?? now) >= EXCESS_MS) {
        while (pluginPool.size > (shares.get(pluginPool) ?? 0) && pluginPool.dropWaiting() !== null);
        this.#excessSince.delete(pluginPool);
      }
    }
  }

  /** One that is too many goes at once when another is to come. */
  #dropSome(shares: ReadonlyMap<PluginPool, number>): boolean {
    for (const pluginPool of this.#active)
      if (pluginPool.size > (shares.get(pluginPool) ?? 0) && pluginPool.dropWaiting() !== null) return true;
    return false;
  }

  #hasRoom(pluginPool: PluginPool): boolean {
    const all = [...this.#active];
    return (
      sum(all, ({ size }) => size) < this.#options.maxWarm &&
      sum(all, ({ size, memoryBytes }) => size * memoryBytes) + pluginPool.memoryBytes <= this.#ceilings.bytes
    );
  }

  #hadTurn(pluginPool: PluginPool): number {
    return pluginPool === this.#startedLast ? 1 : 0;
  }

  #answerHints(shares: ReadonlyMap<PluginPool, number>, now: number): void {
    for (const { pluginPool, size, done } of this.#prewarmings) {
      const ready = pluginPool.readyCount;
      const isDone =
        ready >= (shares.get(pluginPool) ?? 0) || !pluginPool.mayStart(now) || this.#isFull(pluginPool);
      if (ready >= size || (isDone && !pluginPool.isStarting)) done(ready);
    }
  }

  /** Whether no memory for one more can be had, nor is on its way back. */
  #isFull({ memoryBytes }: PluginPool): boolean {
    return this.#relief.leavingBytes === 0 && !this.#options.admission.mayReserve(memoryBytes);
  }
}
