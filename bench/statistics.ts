const RESAMPLES = 10_000;

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Linear between the two nearest values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export interface Ratio {
  readonly value: number;
  /** 95 % confidence interval. */
  readonly low: number;
  readonly high: number;
}

/**
 * The ratio of two medians. Value n of both lists is from the same round, so rounds are resampled and not single
 * values: what slowed the machine in a round slowed both.
 */
export function ratioOfMedians(above: readonly number[], below: readonly number[]): Ratio {
  const rounds = above.map((_, round) => round);
  const ratioIn = (chosen: readonly number[]): number =>
    median(chosen.map((round) => above[round] ?? Number.NaN)) /
    median(chosen.map((round) => below[round] ?? Number.NaN));
  const resampled = Array.from({ length: RESAMPLES }, () =>
    ratioIn(rounds.map(() => Math.floor(Math.random() * rounds.length))),
  );
  return {
    value: ratioIn(rounds),
    low: percentile(resampled, 2.5),
    high: percentile(resampled, 97.5),
  };
}
