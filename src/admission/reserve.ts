/** Of what there is to have, a plugin that has some already leaves so much to those that have none. */
const RESERVED_SHARE = 1 / 8;
/** Where fewer of its size fit, the reserve would take too much of them, and there is none. */
const MIN_FITTING = 4;

/**
 * How far a ceiling may be filled by one that has something already. The rest, an eighth and room for one more of its size at
 * least, is for whoever has nothing yet: it finds something free while others hold what they have for long.
 */
export function sharedCeiling(ceiling: number, size: number): number {
  if (!Number.isFinite(ceiling) || ceiling < MIN_FITTING * size) return ceiling;
  return ceiling - Math.max(size, Math.floor(ceiling * RESERVED_SHARE));
}
