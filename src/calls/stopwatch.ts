import type { Phases } from './result.ts';

type Phase = keyof Phases;

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
    const { queueMs, createMs, startMs, bootMs, runMs, teardownMs } = this.#phases;
    return {
      queueMs: roundOrNull(queueMs),
      createMs: roundOrNull(createMs),
      startMs: roundOrNull(startMs),
      bootMs: roundOrNull(bootMs),
      runMs: roundOrNull(runMs),
      teardownMs: roundOrNull(teardownMs),
    };
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
