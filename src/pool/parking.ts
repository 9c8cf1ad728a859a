import type { FinishedContainer, FinishedContainers } from '../execution/finished.ts';
import type { Reaper } from '../execution/reaper.ts';
import { removeSandbox } from '../execution/removal.ts';
import { LABELS } from '../labels.ts';
import type { Logger } from '../logger.ts';

/** One that is not started again within this time is removed. */
export const PARKED_MS = 10_000;
/** Whatever an engine may gather with each start of a container does not grow for ever. */
const MAX_STARTS = 50;

export interface ParkingOptions {
  readonly maxAgeMs: number;
  /** Whether it pays to keep one more: there is room, and a call is expected while it is kept. */
  readonly isWorthIt: () => boolean;
  readonly reaper: Reaper;
  readonly logger: Logger;
}

/** Keeps finished containers of one plugin for some seconds, and removes those that nobody takes. */
export class Parking implements FinishedContainers {
  readonly #options: ParkingOptions;
  /** With the timer that ends their time. */
  readonly #parked = new Map<FinishedContainer, NodeJS.Timeout>();
  /** The reaper's word that they are alive, by container id; also of those that were taken. */
  readonly #live = new Map<string, Disposable>();
  readonly #leaving = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#parked.size;
  }

  /** The one that came last: the others come to their end when there are more than are needed. */
  take(key: string): FinishedContainer | null {
    const container = [...this.#parked.keys()].findLast((parked) => parked.key === key);
    if (container === undefined) return null;
    this.#unpark(container);
    return container;
  }

  wants({ starts, madeAt }: FinishedContainer): boolean {
    const { maxAgeMs, isWorthIt } = this.#options;
    return !this.#isClosed && starts < MAX_STARTS && performance.now() - madeAt < maxAgeMs && isWorthIt();
  }

  put(container: FinishedContainer): boolean {
    if (!this.wants(container)) return false;
    if (!this.#live.has(container.id))
      this.#live.set(container.id, this.#options.reaper.admit(container.labels[LABELS.execution] ?? ''));
    // Nobody waits for it: what it leaves to a process that ends meanwhile is the guard's.
    this.#parked.set(container, setTimeout(() => this.discard(container), PARKED_MS).unref());
    return true;
  }

  discard(container: FinishedContainer): void {
    this.#unpark(container);
    const { engine, id } = container;
    const { logger, reaper } = this.#options;
    const gone = removeSandbox({ engine, container: id, network: null, logger }).then((isGone) => {
      this.forget(container);
      if (!isGone) reaper.suspect();
    });
    this.#leaving.add(gone);
    void gone.then(() => this.#leaving.delete(gone));
  }

  forget({ id }: FinishedContainer): void {
    this.#live.get(id)?.[Symbol.dispose]();
    this.#live.delete(id);
  }

  /** Resolves when none is left. Fine to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const container of this.#parked.keys()) this.discard(container);
    await Promise.all(this.#leaving);
  }

  #unpark(container: FinishedContainer): void {
    clearTimeout(this.#parked.get(container));
    this.#parked.delete(container);
  }
}
