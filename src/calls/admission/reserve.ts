/** The part of a ceiling that a plugin which has some already leaves to those that have none. */
const RESERVED_SHARE = 1 / 8;
/** Where fewer calls of its size fit, a reserve would take too much of the ceiling, so there is none. */
const MIN_FITTING = 4;

/**
 * How far a plugin that has something already may fill a ceiling. The rest, at least an eighth and room for one more call of
 * its size, stays free for plugins that have nothing yet, however long the others hold what they have.
 */
export function sharedCeiling(ceiling: number, size: number): number {
  if (!Number.isFinite(ceiling) || ceiling < MIN_FITTING * size) return ceiling;
  return ceiling - Math.max(size, Math.floor(ceiling * RESERVED_SHARE));
}
