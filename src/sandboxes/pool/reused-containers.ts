import type { Slot } from '../../calls/admission/admission.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import type { Container } from '../container/container.ts';
import { IdleContainer } from './idle-container.ts';

export interface ReusedOptions {
  readonly grant: Grant;
  /** Resolves when it is gone. */
  readonly end: (idle: IdleContainer) => Promise<void>;
  /** A container has ended by itself. */
  readonly onLost: () => void;
  readonly logger: Logger;
}

/** The containers of one plugin that have served calls, and wait for more of the same session, or of anybody. */
export class ReusedContainers {
  readonly #options: ReusedOptions;
  /** In the order of their last use. */
  readonly #idle = new Set<IdleContainer>();

  constructor(options: ReusedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.size;
  }

  /** When the least used one was used last; `Infinity` where there is none. */
  get oldestUse(): number {
    const [first] = this.#idle;
    return first?.since ?? Number.POSITIVE_INFINITY;
  }

  acquire(session: string | null): IdleContainer | null {
    const { mode } = this.#options.grant.isolation;
    if (mode === 'execution' || (mode === 'session' && session === null)) return null;
    for (const idle of this.#idle) {
      if (idle.session !== session && mode === 'session') continue;
      if (!idle.isReady || this.#isTooOld(idle.container)) continue;
      this.#idle.delete(idle);
      return idle.acquire();
    }
    return null;
  }

  /** Takes over a container that has served a call, if it may serve another; answers whether it did. */
  add(container: Container, slot: Slot, session: string | null): boolean {
    const { mode, maxCalls } = this.#options.grant.isolation;
    if (mode === 'execution' || (mode === 'session' && session === null)) return false;
    if (!container.isAlive || container.served.calls >= maxCalls || this.#isTooOld(container)) return false;
    const served = { container, session: mode === 'session' ? session : null };
    slot.keepMemory((memory) => {
      this.#idle.add(new IdleContainer(served, { memory, onLost: (lost) => this.#lose(lost) }));
    });
    return true;
  }

  /** Takes back a container that was acquired and not called; answers whether it may still serve. */
  takeBack(idle: IdleContainer, slot: Slot): boolean {
    if (!idle.container.isAlive || this.#isTooOld(idle.container)) return false;
    slot.keepMemory((memory) => {
      idle.takeBack(memory);
      this.#idle.add(idle);
    });
    return true;
  }

  /** Ends the one that was not used for longest. Resolves when it is gone; `null` when none is there. */
  dropLeastUsed(): Promise<void> | null {
    const [first] = this.#idle;
    return first === undefined ? null : this.#drop(first);
  }

  /** Ends what was there for too long. */
  dropOld(): void {
    for (const idle of this.#idle) if (this.#isTooOld(idle.container)) void this.#drop(idle);
  }

  /** Ends containers that compute without a call. */
  async dropBusy(): Promise<void> {
    const { grant, logger } = this.#options;
    for (const idle of [...this.#idle]) {
      if (!(await idle.computes()) || !this.#idle.has(idle)) continue;
      void this.#drop(idle);
      const reason = 'it goes on computing after it was called';
      logger.warn({ reason, plugin: grant.plugin }, 'a reused container was ended');
    }
  }

  #isTooOld({ served }: Container): boolean {
    return performance.now() - served.since > this.#options.grant.isolation.maxAgeMs;
  }

  #drop(idle: IdleContainer): Promise<void> {
    this.#idle.delete(idle);
    return this.#options.end(idle);
  }

  #lose(lost: IdleContainer): void {
    this.#idle.delete(lost);
    this.#options.onLost();
  }
}
