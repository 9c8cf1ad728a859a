import { createHash, randomUUID } from 'node:crypto';
import type { Hold, Place } from '../admission/admission.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import type { Ending } from '../execution/ending.ts';
import { endsWithoutTrace } from '../execution/finished.ts';
import type { Reaper } from '../execution/reaper.ts';
import type { Sandbox, SandboxPlan } from '../execution/sandbox.ts';
import type { Claimed, Standby } from '../execution/standby.ts';
import type { Logger } from '../logger.ts';
import type { Grant } from '../policy/grant.ts';
import { assertMountFolders } from '../policy/mount-folder.ts';
import { IdleSandbox } from './idle-sandbox.ts';
import { PARKED_MS, Parking } from './parking.ts';
import { Arrivals, gainOf, targetSize } from './sizing.ts';

/** Until the first one was measured. */
const FIRST_REFILL_MS = 500;
/** The newest measurement counts for so much. */
const NEWEST_SHARE = 0.3;
/** After a failure; twice as long after each further one. */
const FIRST_PAUSE_MS = 1_000;
/** What lies with the engine may be mended at any moment; what lies with the plugin will not be soon. */
const MAX_ENGINE_PAUSE_MS = 5_000;
const MAX_PLUGIN_PAUSE_MS = 300_000;
/** How long a hint holds. */
const HINT_MS = 60_000;

export interface ShelfOptions {
  readonly grant: Grant;
  readonly entryPoint: string;
  readonly version: string;
  readonly preload: boolean;
  readonly warm: number | 'adaptive';
  readonly connect: () => Promise<ContainerEngine>;
  readonly prepareImage: (signal?: AbortSignal) => Promise<string>;
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly reaper: Reaper;
  readonly logger: Logger;
}

/** What a shelf needs of the pool that it stands in. */
export interface ShelfKeeper {
  /** `null` where no memory is to be had now. */
  hold(bytes: number): Hold | null;
  /** Something changed that sizes depend on. */
  onChange(shelf: Shelf): void;
  /** A call starts a container of its own. */
  onOwnStart(): Disposable;
  /** Whether one more finished container may be there. */
  mayPark(): boolean;
  /** Of a container, from when it was made. */
  readonly maxAgeMs: number;
  /** It wants to be forgotten. */
  onClosed(shelf: Shelf): void;
}

/** One that waits, and what it was made from. */
interface Waiting {
  readonly idle: IdleSandbox;
  readonly key: string;
  readonly startedAt: number;
}

interface Kept {
  readonly idle: IdleSandbox;
  readonly session: string | null;
  usedAt: number;
}

/** How far a kept container has come. */
interface Served {
  calls: number;
  readonly since: number;
}

/** The idle containers of one plugin version under one grant. */
export class Shelf implements Standby {
  readonly finished: Parking | null;
  readonly #options: ShelfOptions;
  readonly #keeper: ShelfKeeper;
  readonly #arrivals = new Arrivals();
  readonly #waiting = new Set<Waiting>();
  readonly #kept = new Set<Kept>();
  readonly #served = new WeakMap<Sandbox, Served>();
  /** What closing waits for. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Of what is started now; a container of anything else is not given out. */
  #key: string | undefined;
  #starting = 0;
  #refillMs = FIRST_REFILL_MS;
  #failures = 0;
  #retryAt = 0;
  #hint = { size: 0, until: 0 };

  constructor(options: ShelfOptions, keeper: ShelfKeeper) {
    this.#options = options;
    this.#keeper = keeper;
    const { grant, reaper, logger } = options;
    const isWorthIt = (): boolean => keeper.mayPark() && this.#isAboutToBeCalled();
    this.finished = endsWithoutTrace(grant)
      ? new Parking({ maxAgeMs: keeper.maxAgeMs, isWorthIt, reaper, logger })
      : null;
  }

  get plugin(): string {
    return this.#options.grant.plugin;
  }

  get memoryBytes(): number {
    return this.#options.grant.memoryBytes;
  }

  /** Waiting or about to. */
  get size(): number {
    return this.#waiting.size + this.#starting;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get readyCount(): number {
    return [...this.#waiting].filter(({ idle }) => idle.isReady).length;
  }

  get keptCount(): number {
    return this.#kept.size;
  }

  get isStarting(): boolean {
    return this.#starting > 0 || [...this.#waiting].some(({ idle }) => !idle.isReady);
  }

  /** Whether a container may be started now; after failures only from time to time. */
  mayStart(now: number): boolean {
    return !this.#isClosed() && now >= this.#retryAt;
  }

  /** How many somebody has asked for in so many words. */
  firmSize(now: number): number {
    const { warm } = this.#options;
    return Math.max(warm === 'adaptive' ? 0 : warm, now < this.#hint.until ? this.#hint.size : 0);
  }

  /** How many should wait, if there were room for all. */
  targetSize(now: number): number {
    const { warm } = this.#options;
    const firm = this.firmSize(now);
    return warm === 'adaptive'
      ? Math.max(firm, targetSize(this.#arrivals.perSecond(now), this.#refillMs))
      : firm;
  }

  /** What the container number `size` is worth for each byte of its memory. */
  gain(size: number, now: number): number {
    return gainOf(size, this.#arrivals.perSecond(now), this.#refillMs) / this.memoryBytes;
  }

  hint(size: number): void {
    this.#hint = { size, until: performance.now() + HINT_MS };
    // Who asks for it wants it tried now.
    this.#retryAt = 0;
    this.#keeper.onChange(this);
  }

  claim(session: string | null): Claimed | null {
    return this.#claimKept(session) ?? this.#claimWaiting();
  }

  arrived(): void {
    this.#arrivals.record(performance.now());
    this.#keeper.onChange(this);
  }

  startsItsOwn(): Disposable {
    return this.#keeper.onOwnStart();
  }

  keep(sandbox: Sandbox, place: Place, session: string | null): boolean {
    const { isolation } = this.#options.grant;
    const served = this.#served.get(sandbox) ?? { calls: 0, since: performance.now() };
    served.calls++;
    this.#served.set(sandbox, served);
    if (isolation.mode === 'execution' || this.#isClosed() || !sandbox.isAlive) return false;
    if (isolation.mode === 'session' && session === null) return false;
    if (served.calls >= isolation.maxCalls || this.#isTooOld(sandbox)) return false;
    const onLost = (lost: IdleSandbox): void => {
      for (const kept of this.#kept) if (kept.idle === lost) this.#kept.delete(kept);
      this.#keeper.onChange(this);
    };
    // Also where it ends by itself: closing waits for that.
    void this.#awaitAtClose(sandbox.removed);
    place.keepMemory((hold) => {
      const idle = IdleSandbox.keep(sandbox, { hold, onLost });
      this.#kept.add({
        idle,
        session: isolation.mode === 'session' ? session : null,
        usedAt: performance.now(),
      });
    });
    this.#keeper.onChange(this);
    return true;
  }

  /** Starts one more, if there is memory for it then; resolves when that is waiting or has failed. */
  async start(): Promise<void> {
    const waiting = await this.#awaitAtClose(this.#tryToBegin());
    await waiting?.idle.settled;
    if (waiting?.idle.isReady) {
      this.#refillMs += NEWEST_SHARE * (performance.now() - waiting.startedAt - this.#refillMs);
    }
    this.#keeper.onChange(this);
  }

  async #tryToBegin(): Promise<Waiting | null> {
    this.#starting++;
    try {
      return await this.#begin();
    } catch (error) {
      if (!this.#isClosed()) this.#fail(error as Error);
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

  /** Ends the kept one that was not used for longest. Resolves when it is gone; `null` when none is kept. */
  dropKept(): Promise<void> | null {
    const [first] = [...this.#kept].sort((a, b) => a.usedAt - b.usedAt);
    if (first === undefined) return null;
    this.#kept.delete(first);
    return this.#end(first.idle);
  }

  /** When its least used kept container was used last; `Infinity` where it has none. */
  get oldestUse(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#kept].map(({ usedAt }) => usedAt));
  }

  /** Ends what has waited, or was kept, for too long. */
  dropOld(now: number, maxAgeMs: number): void {
    for (const waiting of this.#waiting) if (now - waiting.startedAt > maxAgeMs) void this.#drop(waiting);
    for (const kept of this.#kept) {
      if (!this.#isTooOld(kept.idle.sandbox)) continue;
      this.#kept.delete(kept);
      void this.#end(kept.idle);
    }
  }

  /** Ends what computes although nobody calls it. */
  async dropBusy(): Promise<void> {
    for (const waiting of [...this.#waiting]) {
      if (!(await waiting.idle.computes()) || !this.#waiting.has(waiting)) continue;
      void this.#drop(waiting);
      this.#pause(MAX_PLUGIN_PAUSE_MS, { reason: 'it goes on computing after it was loaded' });
    }
    for (const kept of [...this.#kept]) {
      if (!(await kept.idle.computes()) || !this.#kept.delete(kept)) continue;
      void this.#end(kept.idle);
      this.#options.logger.warn(
        { plugin: this.plugin, reason: 'it goes on computing after it was called' },
        'a container that was kept was ended',
      );
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const waiting of [...this.#waiting]) void this.#drop(waiting);
    while (this.dropKept() !== null);
    this.#keeper.onClosed(this);
    await Promise.all([this.finished?.close(), ...this.#pending]);
  }

  async #begin(): Promise<Waiting | null> {
    const { grant, entryPoint, version, preload, connect, prepareImage, ownerLabels, reaper, logger } =
      this.#options;
    const engine = await connect();
    if (this.#isClosed()) return null;
    const image = await prepareImage(this.#closing.signal);
    await assertMountFolders(grant.mounts);
    if (this.#isClosed()) return null;
    this.#useKey(toKey({ image, grant, entryPoint, preload }));
    const id = randomUUID();
    const plan: SandboxPlan = {
      engine,
      grant,
      image,
      entryPoint,
      version,
      id,
      ownerLabels,
      logger: logger.child({ sandboxId: id, plugin: grant.plugin }),
      onSuspicion: () => reaper.suspect(),
      finished: this.finished,
    };
    // Not before: a call could not have it back while the image is built.
    const hold = this.#keeper.hold(this.memoryBytes);
    if (hold === null) return null;
    const live = reaper.admit(id);
    const onLost = (_idle: IdleSandbox, ending: Ending): void => {
      this.#waiting.delete(waiting);
      this.#failWith(ending);
      this.#keeper.onChange(this);
    };
    const idle = IdleSandbox.start(plan, preload, { hold, onLost });
    const waiting: Waiting = { idle, key: this.#key as string, startedAt: performance.now() };
    this.#waiting.add(waiting);
    void this.#awaitAtClose(idle.sandbox.removed.then(() => live[Symbol.dispose]()));
    return waiting;
  }

  #claimKept(session: string | null): Claimed | null {
    const { mode } = this.#options.grant.isolation;
    if (mode === 'execution' || (mode === 'session' && session === null)) return null;
    for (const kept of this.#kept) {
      if (mode === 'session' && kept.session !== session) continue;
      if (!kept.idle.isReady || this.#isTooOld(kept.idle.sandbox)) continue;
      this.#kept.delete(kept);
      return { ready: kept.idle.leave(), hold: kept.idle.hold, kind: 'kept' };
    }
    return null;
  }

  #claimWaiting(): Claimed | null {
    for (const waiting of this.#waiting) {
      // Never one of another image or grant: then the call starts its own.
      if (!waiting.idle.isReady || waiting.key !== this.#key) continue;
      this.#waiting.delete(waiting);
      this.#failures = 0;
      return { ready: waiting.idle.leave(), hold: waiting.idle.hold, kind: 'warm' };
    }
    return null;
  }

  /** By the calls of the last minute, before the time of a finished container is over. */
  #isAboutToBeCalled(): boolean {
    return (this.#arrivals.perSecond(performance.now()) * PARKED_MS) / 1000 >= 1;
  }

  #useKey(key: string): void {
    this.#key = key;
    for (const waiting of this.#waiting) if (waiting.key !== key) void this.#drop(waiting);
  }

  #isTooOld(sandbox: Sandbox): boolean {
    const served = this.#served.get(sandbox);
    return served !== undefined && performance.now() - served.since > this.#options.grant.isolation.maxAgeMs;
  }

  #drop(waiting: Waiting): Promise<void> {
    this.#waiting.delete(waiting);
    return this.#end(waiting.idle);
  }

  async #end(idle: IdleSandbox): Promise<void> {
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

  #fail(error: Error): void {
    this.#pause(MAX_ENGINE_PAUSE_MS, { err: error });
  }

  #failWith(ending: Ending): void {
    const isEngine = /^(ENGINE|HOST|IMAGE|RUNTIME|CONTAINER)_/.test(ending.outcome);
    this.#pause(isEngine ? MAX_ENGINE_PAUSE_MS : MAX_PLUGIN_PAUSE_MS, {
      reason: ending.outcome === 'OK' ? '' : ending.error.message,
    });
  }

  /** The calls meanwhile start containers of their own and are told what is wrong. */
  #pause(mostMs: number, facts: object): void {
    const pauseMs = Math.min(mostMs, FIRST_PAUSE_MS * 2 ** this.#failures);
    // Several that are lost at once are one failure.
    if (performance.now() >= this.#retryAt) this.#failures++;
    this.#retryAt = performance.now() + pauseMs;
    this.#options.logger.warn(
      { ...facts, plugin: this.plugin, pauseMs },
      'a container that was started ahead was lost',
    );
  }
}

/** Everything that a container is made from; one of another key is never given to a call. */
export function toKey(made: {
  readonly image: string;
  readonly grant: Grant;
  readonly entryPoint: string;
  readonly preload: boolean;
}): string {
  const { image, grant, entryPoint, preload } = made;
  return createHash('sha256')
    .update(JSON.stringify([image, grant, entryPoint, preload]))
    .digest('hex');
}
