/** One that is asked for less than once in this time is started when it is called. */
const WINDOW_S = 60;
/** When more come than the minute tells, the last seconds are believed; a few calls are no trend. */
const SHORT_WINDOW_S = 6;
const MIN_OF_A_TREND = 3;
/** The share of calls that may find no container waiting. */
const MAX_MISSES = 0.01;
const MAX_SIZE = 64;

/** Counts the calls of the last minute, second by second. */
export class Arrivals {
  readonly #counts = new Uint32Array(WINDOW_S);
  #lastSecond = 0;

  record(nowMs: number): void {
    this.#advance(nowMs);
    this.#counts[this.#lastSecond % WINDOW_S] = (this.#counts[this.#lastSecond % WINDOW_S] ?? 0) + 1;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const long = this.#sum(WINDOW_S);
    const short = this.#sum(SHORT_WINDOW_S);
    return Math.max(long / WINDOW_S, short < MIN_OF_A_TREND ? 0 : short / SHORT_WINDOW_S);
  }

  #sum(seconds: number): number {
    let sum = 0;
    for (let ago = 0; ago < seconds; ago++)
      sum += this.#counts[(this.#lastSecond - ago + WINDOW_S) % WINDOW_S] ?? 0;
    return sum;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    for (let passed = Math.min(second - this.#lastSecond, WINDOW_S); passed > 0; passed--)
      this.#counts[(second - passed + 1) % WINDOW_S] = 0;
    this.#lastSecond = Math.max(second, this.#lastSecond);
  }
}

/**
 * The share of calls that find none of `size` containers waiting, when `arrivalsPerRefill` calls
 * arrive in the time that replacing one takes. Erlang's loss formula, which falls with every further container, by less each time.
 * @see https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_B_formula
 */
export function missShare(arrivalsPerRefill: number, size: number): number {
  let share = 1;
  for (let n = 1; n <= size; n++) share = (arrivalsPerRefill * share) / (n + arrivalsPerRefill * share);
  return share;
}

/** The smallest number of waiting containers that nearly every call finds one of; 0 where nobody calls. */
export function targetSize(perSecond: number, refillMs: number): number {
  if (perSecond === 0) return 0;
  const offered = (perSecond * refillMs) / 1000;
  let size = 1;
  while (size < MAX_SIZE && missShare(offered, size) > MAX_MISSES) size++;
  return size;
}

/** Milliseconds of waiting that the container number `size` spares all callers together, each second. */
export function gainOf(size: number, perSecond: number, refillMs: number): number {
  const offered = (perSecond * refillMs) / 1000;
  return perSecond * (missShare(offered, size - 1) - missShare(offered, size)) * refillMs;
}
