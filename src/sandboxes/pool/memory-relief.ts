import type { Admission } from '../../calls/admission/admission.ts';
import type { PluginPool } from './plugin-pool.ts';
import { sum } from './sum.ts';

export interface MemoryReliefOptions {
  readonly admission: Admission;
  readonly all: ReadonlySet<PluginPool>;
  /** Those that have containers. */
  readonly active: ReadonlySet<PluginPool>;
}

/** Ends containers that nobody calls where a call lacks their memory, the least useful one first. */
export class MemoryRelief {
  readonly #options: MemoryReliefOptions;

  constructor(options: MemoryReliefOptions) {
    this.#options = options;
  }

  /** What those that are being ended still hold. */
  get leavingBytes(): number {
    return this.#options.admission.held.idleBytes - sum(this.#options.all, ({ heldBytes }) => heldBytes);
  }

  /** Until so much is on its way: what waits goes first, then what is reused, then what is tried. */
  free(bytes: number): void {
    this.dropWaiting(bytes);
    while (this.leavingBytes < bytes)
      if (!(leastUsed(this.#options.active)?.dropReused() ?? this.#dropTry())) return;
  }

  dropWaiting(bytes: number): void {
    const now = performance.now();
    while (this.leavingBytes < bytes) {
      const [waiting] = [...this.#options.active]
        .filter(({ waitingCount }) => waitingCount > 0)
        .sort((a, b) => a.gain(a.size, now) - b.gain(b.size, now));
      if (!waiting?.dropWaiting()) return;
    }
  }

  #dropTry(): Promise<void> | null {
    for (const pluginPool of this.#options.all) {
      const dropped = pluginPool.dropTry();
      if (dropped !== null) return dropped;
    }
    return null;
  }
}

/** Whose reused container was not used for longest. */
export function leastUsed(pools: Iterable<PluginPool>): PluginPool | undefined {
  const [least] = [...pools]
    .filter(({ reusedCount }) => reusedCount > 0)
    .sort((a, b) => a.oldestUse - b.oldestUse);
  return least;
}
