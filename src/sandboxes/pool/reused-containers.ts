import type { Slot } from '../../calls/admission/admission.ts';
import { LogBook } from '../../calls/logs.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import type { Sandbox } from '../container/container.ts';
import type { AcquiredContainer } from '../container/container-source.ts';
import type { ReadySandbox } from '../container/execution.ts';
import { IdleSandbox } from './idle-sandbox.ts';

interface Reused {
  readonly idle: IdleSandbox;
  /** Whose calls it serves; `null`: everybody's. */
  readonly session: string | null;
  readonly usedAt: number;
}

/** How far a reused container has come. */
interface Served {
  calls: number;
  readonly since: number;
}

export interface ReusedOptions {
  readonly grant: Grant;
  /** Resolves when it is gone. */
  readonly end: (idle: IdleSandbox) => Promise<void>;
  /** One has ended by itself. */
  readonly onLost: () => void;
  readonly logger: Logger;
}

/** The containers of one plugin that have served calls, and wait for more of the same session, or of anybody. */
export class ReusedContainers {
  readonly #options: ReusedOptions;
  readonly #reused = new Set<Reused>();
  readonly #served = new WeakMap<Sandbox, Served>();

  constructor(options: ReusedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#reused.size;
  }

  /** When the least used one was used last; `Infinity` where there is none. */
  get oldestUse(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#reused].map(({ usedAt }) => usedAt));
  }

  acquire(session: string | null): AcquiredContainer | null {
    const { mode } = this.#options.grant.isolation;
    if (mode === 'execution' || (mode === 'session' && session === null)) return null;
    for (const reused of this.#reused) {
      if (mode === 'session' && reused.session !== session) continue;
      if (!reused.idle.isReady || this.#isTooOld(reused.idle.sandbox)) continue;
      this.#reused.delete(reused);
      return { ready: reused.idle.leave(), memory: reused.idle.memory, kind: 'reused' };
    }
    return null;
  }

  /** Takes over a container that has served a call, if it may serve another; answers whether it did. */
  keep(sandbox: Sandbox, slot: Slot, session: string | null): boolean {
    const { mode, maxCalls } = this.#options.grant.isolation;
    const served = this.#served.get(sandbox) ?? { calls: 0, since: performance.now() };
    served.calls++;
    this.#served.set(sandbox, served);
    if (mode === 'execution' || !sandbox.isAlive) return false;
    if (mode === 'session' && session === null) return false;
    if (served.calls >= maxCalls || this.#isTooOld(sandbox)) return false;
    this.#add({ sandbox, logs: new LogBook() }, slot, session);
    return true;
  }

  /** One that was acquired and not called; answers whether it may still serve. */
  takeBack(ready: ReadySandbox, slot: Slot, session: string | null): boolean {
    if (!ready.sandbox.isAlive || this.#isTooOld(ready.sandbox)) return false;
    this.#add(ready, slot, session);
    return true;
  }

  #add(ready: ReadySandbox, slot: Slot, session: string | null): void {
    const { mode } = this.#options.grant.isolation;
    slot.keepMemory((memory) => {
      const idle = IdleSandbox.takeBack(ready, { memory, onLost: (lost) => this.#lose(lost) });
      this.#reused.add({ idle, session: mode === 'session' ? session : null, usedAt: performance.now() });
    });
  }

  /** Ends the one that was not used for longest. Resolves when it is gone; `null` when none is there. */
  dropLeastUsed(): Promise<void> | null {
    const [first] = [...this.#reused].sort((a, b) => a.usedAt - b.usedAt);
    return first === undefined ? null : this.#drop(first);
  }

  /** Ends what was kept for too long. */
  dropOld(): void {
    for (const reused of this.#reused) if (this.#isTooOld(reused.idle.sandbox)) void this.#drop(reused);
  }

  /** Ends what computes although nobody calls it. */
  async dropBusy(): Promise<void> {
    const { grant, logger } = this.#options;
    for (const reused of [...this.#reused]) {
      if (!(await reused.idle.computes()) || !this.#reused.has(reused)) continue;
      void this.#drop(reused);
      const reason = 'it goes on computing after it was called';
      logger.warn({ reason, plugin: grant.plugin }, 'a reused container was ended');
    }
  }

  #isTooOld(sandbox: Sandbox): boolean {
    const served = this.#served.get(sandbox);
    return served !== undefined && performance.now() - served.since > this.#options.grant.isolation.maxAgeMs;
  }

  #drop(reused: Reused): Promise<void> {
    this.#reused.delete(reused);
    return this.#options.end(reused.idle);
  }

  #lose(lost: IdleSandbox): void {
    for (const reused of this.#reused) if (reused.idle === lost) this.#reused.delete(reused);
    this.#options.onLost();
  }
}
