import type { Phases } from './result.ts';

const ORDER = ['queueMs', 'createMs', 'startMs', 'bootMs', 'runMs', 'teardownMs'] as const;

type Phase = (typeof ORDER)[number];

/** Measures the phases of one execution on the monotonic clock. */
export class Stopwatch {
  readonly #startedAt = performance.now();
  #phaseStartedAt = this.#startedAt;
  readonly #phases: Partial<Record<Phase, number>> = {};
  #totalMs: number | undefined;

  /** Ends the phase that is going on; what follows belongs to the next one. */
  lap(phase: Phase): void {
    const now = performance.now();
    this.#phases[phase] = now - this.#phaseStartedAt;
    this.#phaseStartedAt = now;
  }

  has(phase: Phase): boolean {
    return this.#phases[phase] !== undefined;
  }

  phases(): Phases {
    return Object.fromEntries(
      ORDER.map((phase) => [phase, roundOrNull(this.#phases[phase])]),
    ) as unknown as Phases;
  }

  /** Ends the total; phases may still be measured. */
  stop(): void {
    this.#totalMs ??= performance.now() - this.#startedAt;
  }

  totalMs(): number {
    return round(this.#totalMs ?? performance.now() - this.#startedAt);
  }
}

function roundOrNull(ms: number | undefined): number | null {
  return ms === undefined ? null : round(ms);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
