import type { Place } from '../admission/admission.ts';
import type { ReadySandbox } from '../execution/execution.ts';
import { LogBook } from '../execution/logs.ts';
import type { Sandbox } from '../execution/sandbox.ts';
import type { Claimed } from '../execution/standby.ts';
import type { Logger } from '../logger.ts';
import type { Grant } from '../policy/grant.ts';
import { IdleSandbox } from './idle-sandbox.ts';

interface Kept {
  readonly idle: IdleSandbox;
  /** Whose calls it serves; `null`: everybody's. */
  readonly session: string | null;
  readonly usedAt: number;
}

/** How far a kept container has come. */
interface Served {
  calls: number;
  readonly since: number;
}

export interface KeptOptions {
  readonly grant: Grant;
  /** Resolves when it is gone. */
  readonly end: (idle: IdleSandbox) => Promise<void>;
  /** One has ended by itself. */
  readonly onLost: () => void;
  readonly logger: Logger;
}

/** The containers of one plugin that have served calls, and wait for more of the same session, or of anybody. */
export class KeptContainers {
  readonly #options: KeptOptions;
  readonly #kept = new Set<Kept>();
  readonly #served = new WeakMap<Sandbox, Served>();

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** When the least used one was used last; `Infinity` where there is none. */
  get oldestUse(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#kept].map(({ usedAt }) => usedAt));
  }

  claim(session: string | null): Claimed | null {
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

  /** Takes over a container that has served a call, if it may serve another; answers whether it did. */
  keep(sandbox: Sandbox, place: Place, session: string | null): boolean {
    const { mode, maxCalls } = this.#options.grant.isolation;
    const served = this.#served.get(sandbox) ?? { calls: 0, since: performance.now() };
    served.calls++;
    this.#served.set(sandbox, served);
    if (mode === 'execution' || !sandbox.isAlive) return false;
    if (mode === 'session' && session === null) return false;
    if (served.calls >= maxCalls || this.#isTooOld(sandbox)) return false;
    this.#add({ sandbox, logs: new LogBook() }, place, session);
    return true;
  }

  /** One that was claimed and not called; answers whether it may still serve. */
  takeBack(ready: ReadySandbox, place: Place, session: string | null): boolean {
    if (!ready.sandbox.isAlive || this.#isTooOld(ready.sandbox)) return false;
    this.#add(ready, place, session);
    return true;
  }

  #add(ready: ReadySandbox, place: Place, session: string | null): void {
    const { mode } = this.#options.grant.isolation;
    place.keepMemory((hold) => {
      const idle = IdleSandbox.takeBack(ready, { hold, onLost: (lost) => this.#lose(lost) });
      this.#kept.add({ idle, session: mode === 'session' ? session : null, usedAt: performance.now() });
    });
  }

  /** Ends the one that was not used for longest. Resolves when it is gone; `null` when none is kept. */
  dropLeastUsed(): Promise<void> | null {
    const [first] = [...this.#kept].sort((a, b) => a.usedAt - b.usedAt);
    return first === undefined ? null : this.#drop(first);
  }

  /** Ends what was kept for too long. */
  dropOld(): void {
    for (const kept of this.#kept) if (this.#isTooOld(kept.idle.sandbox)) void this.#drop(kept);
  }

  /** Ends what computes although nobody calls it. */
  async dropBusy(): Promise<void> {
    const { grant, logger } = this.#options;
    for (const kept of [...this.#kept]) {
      if (!(await kept.idle.computes()) || !this.#kept.has(kept)) continue;
      void this.#drop(kept);
      const reason = 'it goes on computing after it was called';
      logger.warn({ reason, plugin: grant.plugin }, 'a container that was kept was ended');
    }
  }

  #isTooOld(sandbox: Sandbox): boolean {
    const served = this.#served.get(sandbox);
    return served !== undefined && performance.now() - served.since > this.#options.grant.isolation.maxAgeMs;
  }

  #drop(kept: Kept): Promise<void> {
    this.#kept.delete(kept);
    return this.#options.end(kept.idle);
  }

  #lose(lost: IdleSandbox): void {
    for (const kept of this.#kept) if (kept.idle === lost) this.#kept.delete(kept);
    this.#options.onLost();
  }
}
