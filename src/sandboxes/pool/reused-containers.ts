import type { Slot } from '../../calls/admission/admission.ts';
import { LogBook } from '../../calls/logs.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import type { Container } from '../container/container.ts';
import type { AcquiredContainer } from '../container/container-source.ts';
import type { ReadyContainer } from '../container/execution.ts';
import { IdleContainer } from './idle-container.ts';

interface Reused {
  readonly idle: IdleContainer;
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
  readonly end: (idle: IdleContainer) => Promise<void>;
  /** One has ended by itself. */
  readonly onLost: () => void;
  readonly logger: Logger;
}

/** The containers of one plugin that have served calls, and wait for more of the same session, or of anybody. */
export class ReusedContainers {
  readonly #options: ReusedOptions;
  readonly #reused = new Set<Reused>();
  readonly #served = new WeakMap<Container, Served>();

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
      if (!reused.idle.isReady || this.#isTooOld(reused.idle.container)) continue;
      this.#reused.delete(reused);
      return { ready: reused.idle.leave(), memory: reused.idle.memory, kind: 'reused' };
    }
    return null;
  }

  /** Takes over a container that has served a call, if it may serve another; answers whether it did. */
  add(container: Container, slot: Slot, session: string | null): boolean {
    const { mode, maxCalls } = this.#options.grant.isolation;
    const served = this.#served.get(container) ?? { calls: 0, since: performance.now() };
    served.calls++;
    this.#served.set(container, served);
    if (mode === 'execution' || !container.isAlive) return false;
    if (mode === 'session' && session === null) return false;
    if (served.calls >= maxCalls || this.#isTooOld(container)) return false;
    this.#add({ container, logs: new LogBook() }, slot, session);
    return true;
  }

  /** One that was acquired and not called; answers whether it may still serve. */
  takeBack(ready: ReadyContainer, slot: Slot, session: string | null): boolean {
    if (!ready.container.isAlive || this.#isTooOld(ready.container)) return false;
    this.#add(ready, slot, session);
    return true;
  }

  #add(ready: ReadyContainer, slot: Slot, session: string | null): void {
    const { mode } = this.#options.grant.isolation;
    slot.keepMemory((memory) => {
      const idle = IdleContainer.takeBack(ready, { memory, onLost: (lost) => this.#lose(lost) });
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
    for (const reused of this.#reused) if (this.#isTooOld(reused.idle.container)) void this.#drop(reused);
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

  #isTooOld(container: Container): boolean {
    const served = this.#served.get(container);
    return served !== undefined && performance.now() - served.since > this.#options.grant.isolation.maxAgeMs;
  }

  #drop(reused: Reused): Promise<void> {
    this.#reused.delete(reused);
    return this.#options.end(reused.idle);
  }

  #lose(lost: IdleContainer): void {
    for (const reused of this.#reused) if (reused.idle === lost) this.#reused.delete(reused);
    this.#options.onLost();
  }
}
