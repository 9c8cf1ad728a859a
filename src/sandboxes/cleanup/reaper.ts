import type { ContainerEngine } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';
import type { Identity } from './identity.ts';
import { prune } from './prune.ts';

/** Between two looks for what others left. */
const PERIOD_MS = 30_000;
/** When the reaper looks after a fault of the engine, which may still finish what it was asked for. */
const LOOKS_MS = [1_000, 3_000, 7_000, 15_000];
/** From then on nothing is expected any more, and a look that finds nothing clears the suspicion. */
const LATE_MS = 15_000;

/**
 * Removes, while lurkbox lives, what nobody else will: what dead orchestrators of this machine left, and what a fault
 * of the engine left of our own. It knows our own by which executions are under way.
 */
export class Reaper {
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #live = new Set<{ readonly executionId: string }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #engine: ContainerEngine | undefined;
  #looking: Promise<void> = Promise.resolve();
  /** When something may last have been left; `null` once a look that came late enough has found the engine in order. */
  #suspectedAt: number | null = null;
  #closed = false;

  constructor(identity: Identity, logger: Logger) {
    this.#identity = identity;
    this.#logger = logger;
  }

  /** Looks at once, in the background, and then from time to time. */
  begin(engine: ContainerEngine): void {
    this.#engine = engine;
    void this.#look();
    const timer = setInterval(() => void this.#look(), PERIOD_MS).unref();
    this.#timers.add(timer);
  }

  /** From before its container is created until after it was removed; each that is admitted twice has to leave twice. */
  admit(executionId: string): Disposable {
    const admitted = { executionId };
    this.#live.add(admitted);
    return { [Symbol.dispose]: () => void this.#live.delete(admitted) };
  }

  /** Something of an execution may be in the engine, or may still come. */
  suspect(): void {
    this.#suspectedAt = performance.now();
    if (this.#closed) return;
    for (const ms of LOOKS_MS) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        void this.#look();
      }, ms).unref();
      this.#timers.add(timer);
    }
  }

  /** Resolves when no look is under way; answers whether nothing of this process can be left. Fine to call twice. */
  async close(): Promise<boolean> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await (this.#suspectedAt === null ? this.#looking : this.#look());
    return this.#suspectedAt === null;
  }

  /** One at a time. */
  #look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#prune());
    return this.#looking;
  }

  async #prune(): Promise<void> {
    if (this.#engine === undefined) return;
    const begun = performance.now();
    try {
      const isLive = (id: string): boolean => [...this.#live].some(({ executionId }) => executionId === id);
      const { containers, networks } = await prune(this.#engine, this.#identity, { isLive });
      if (this.#suspectedAt !== null && begun - this.#suspectedAt >= LATE_MS) this.#suspectedAt = null;
      if (containers.length + networks.length === 0) return;
      this.#logger.info({ containers, networks }, 'removed what was left in the engine');
    } catch (error) {
      this.#logger.warn({ err: error }, 'could not look for what is left in the engine');
    }
  }
}
