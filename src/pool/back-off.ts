import type { Ending } from '../execution/ending.ts';

/** After a failure; twice as long after each further one. */
const FIRST_PAUSE_MS = 1_000;
/** What lies with the engine may be mended at any moment; what lies with the plugin will not be soon. */
const MAX_PAUSE_MS = { engine: 5_000, plugin: 300_000 } as const;

/** With whom a failure lies. */
export type Blame = keyof typeof MAX_PAUSE_MS;

export function blameOf({ outcome }: Ending): Blame {
  return /^(ENGINE|HOST|IMAGE|RUNTIME|CONTAINER)_/.test(outcome) ? 'engine' : 'plugin';
}

/** When to try again what has failed. */
export class BackOff {
  #failures = 0;
  #retryAt = 0;

  mayTry(now: number): boolean {
    return now >= this.#retryAt;
  }

  /** Answers how many milliseconds nothing is tried now. */
  fail(blame: Blame): number {
    const now = performance.now();
    const pauseMs = Math.min(MAX_PAUSE_MS[blame], FIRST_PAUSE_MS * 2 ** this.#failures);
    // Several at once are one failure.
    if (this.mayTry(now)) this.#failures++;
    this.#retryAt = now + pauseMs;
    return pauseMs;
  }

  succeed(): void {
    this.#failures = 0;
  }

  /** The next try may come at once. */
  end(): void {
    this.#retryAt = 0;
  }
}
