import type { Ending } from '../../calls/ending.ts';
import { FAULT_OF } from '../../calls/outcome.ts';

/** After a failure; twice as long after each further one. */
const FIRST_PAUSE_MS = 1_000;
/** A fault of the engine may end at any moment; a fault of the plugin will stay for longer. */
const MAX_PAUSE_MS = { engine: 5_000, plugin: 300_000 } as const;

/** With whom a failure lies. */
export type Blame = keyof typeof MAX_PAUSE_MS;

export function blameOf({ outcome }: Ending): Blame {
  // There is no caller here: such a fault is a mount that changed.
  return ['engine', 'caller'].includes(FAULT_OF[outcome]) ? 'engine' : 'plugin';
}

/** After this many failures in a row in containers that the engine had started in order, its fault is not believed any more. */
const MAX_BELIEVED = 5;

/** When to try again what has failed. */
export class BackOff {
  #failures = 0;
  /** How many of the last failures were in containers where Node had come up. */
  #lostWhenUp = 0;
  #retryAt = 0;

  mayTry(now: number): boolean {
    return now >= this.#retryAt;
  }

  /** Answers how many milliseconds nothing is tried now. `wasUp`: the engine had started it, and Node was up in it. */
  fail(blame: Blame, { wasUp = false } = {}): number {
    const now = performance.now();
    // Several failures at once count as one.
    const isFirst = this.mayTry(now);
    if (isFirst) this.#lostWhenUp = wasUp ? this.#lostWhenUp + 1 : 0;
    const most = MAX_PAUSE_MS[this.#lostWhenUp > MAX_BELIEVED ? 'plugin' : blame];
    const pauseMs = Math.min(most, FIRST_PAUSE_MS * 2 ** this.#failures);
    if (isFirst) this.#failures++;
    this.#retryAt = now + pauseMs;
    return pauseMs;
  }

  succeed(): void {
    this.#failures = 0;
    this.#lostWhenUp = 0;
  }

  /** The next try may come at once. */
  end(): void {
    this.#retryAt = 0;
  }
}
