const RESAMPLES = 2_000;
const SEED = 0x6c75726b;

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Linear between the two nearest values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface Ratio {
  readonly value: number;
  /** 95 % confidence interval. */
  readonly low: number;
  readonly high: number;
}

/**
 * The ratio of two medians. Item n of both lists holds what was measured in the same round, so rounds are resampled and
 * not single values: what slowed the machine in a round slowed both. The same values always give the same interval.
 */
export function ratioOfMedians(
  above: readonly (readonly number[])[],
  below: readonly (readonly number[])[],
): Ratio {
  const count = Math.min(above.length, below.length);
  const ratioIn = (rounds: readonly number[]): number =>
    median(rounds.flatMap((round) => above[round] ?? [])) /
    median(rounds.flatMap((round) => below[round] ?? []));
  const all = Array.from({ length: count }, (_, round) => round);
  const random = createRandom(SEED);
  const resampled = Array.from({ length: RESAMPLES }, () =>
    ratioIn(all.map(() => Math.floor(random() * count))),
  );
  return { value: ratioIn(all), low: percentile(resampled, 2.5), high: percentile(resampled, 97.5) };
}

/** Mulberry32: a report that is made again is the same report. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
