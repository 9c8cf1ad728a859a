import { Arrivals, gainOf, targetSize } from './sizing.ts';

/** Until the first one was measured. */
const FIRST_REFILL_MS = 500;
/** The newest measurement counts for so much. */
const NEWEST_SHARE = 0.3;
/** How long what `prewarm` asked for holds. */
const PREWARM_MS = 60_000;

/** How many containers of one plugin should wait: by what its policy says, what `prewarm` asked for, and its calls. */
export class Demand {
  readonly #warm: number | 'adaptive';
  readonly #arrivals = new Arrivals();
  #refillMs = FIRST_REFILL_MS;
  #prewarmed = { size: 0, until: 0 };

  constructor(warm: number | 'adaptive') {
    this.#warm = warm;
  }

  arrived(): void {
    this.#arrivals.record(performance.now());
  }

  prewarm(size: number): void {
    this.#prewarmed = { size, until: performance.now() + PREWARM_MS };
  }

  /** One more container waits, `ms` after its start was asked for. */
  refilled(ms: number): void {
    this.#refillMs += NEWEST_SHARE * (ms - this.#refillMs);
  }

  /** How many must wait because the policy or `prewarm` names a number. */
  firmSize(now: number): number {
    const asked = this.#warm === 'adaptive' ? 0 : this.#warm;
    return Math.max(asked, now < this.#prewarmed.until ? this.#prewarmed.size : 0);
  }

  /** How many should wait, if there were room for all. */
  targetSize(now: number): number {
    const firm = this.firmSize(now);
    if (this.#warm !== 'adaptive') return firm;
    return Math.max(firm, targetSize(this.#arrivals.perSecond(now), this.#refillMs));
  }

  /** Milliseconds of waiting that the container number `size` spares all callers together, each second. */
  gain(size: number, now: number): number {
    return gainOf(size, this.#arrivals.perSecond(now), this.#refillMs);
  }
}
