import type { Grant } from './grant.ts';

/** How far a grant opens the container: 8 is nothing beyond the baseline, 1 is the network of the host. */
export interface Rating {
  readonly score: number;
  readonly reasons: readonly { readonly points: number; readonly reason: string }[];
}

export interface RatingRow {
  readonly applies: (grant: Grant) => boolean;
  readonly points: number;
  /** The score is never above this, whatever else holds. */
  readonly most?: number;
  readonly reason: string;
}

const BEST_SCORE = 8;
const WORST_SCORE = 1;

/** Quotas do not count: they bound what a plugin can use up, not what it can reach. */
export const RATING_TABLE: readonly RatingRow[] = [
  {
    applies: ({ scratchBytes }) => scratchBytes > 0,
    points: -1,
    reason: 'A writable `/scratch`: room to unpack and keep things during one execution.',
  },
  {
    applies: ({ mounts }) => mounts.some(({ mode }) => mode === 'ro'),
    points: -1,
    reason: 'Reads a folder of the host.',
  },
  {
    applies: ({ mounts }) => mounts.some(({ mode }) => mode === 'rw'),
    points: -2,
    reason: 'Writes to a folder of the host, which outlives the execution.',
  },
  {
    applies: ({ exec }) => exec,
    points: -2,
    reason: 'Starts processes, in an image with a shell: more of the kernel is in reach.',
  },
  {
    applies: ({ network }) => network === 'bridge',
    points: -3,
    reason: 'A network: can send out what it sees, and reach the host and its neighbours.',
  },
  {
    applies: ({ network }) => network === 'host',
    points: -7,
    most: WORST_SCORE,
    reason: 'The network of the host: reaches every service that trusts the host.',
  },
  {
    applies: ({ isolation }) => isolation.mode === 'session',
    points: -1,
    reason:
      'Containers are reused within a session: what one call leaves behind, the next of that session finds.',
  },
  {
    applies: ({ isolation }) => isolation.mode === 'plugin',
    points: -2,
    reason: 'Containers are reused for all callers: what one leaves behind, another can find.',
  },
  {
    applies: ({ runtime }) => runtime !== null && /\brunsc\b/.test(runtime),
    points: 1,
    reason: 'Runs on gVisor (`runsc`): a kernel of its own stands before that of the host.',
  },
  {
    applies: ({ acceptUnenforced }) => acceptUnenforced.length > 0,
    points: -1,
    reason: 'The policy accepts that the runtime leaves out controls (`accept_unenforced`).',
  },
];

export function rateGrant(grant: Grant): Rating {
  const rows = RATING_TABLE.filter(({ applies }) => applies(grant));
  const sum = rows.reduce((score, { points }) => score + points, BEST_SCORE);
  const most = Math.min(BEST_SCORE, ...rows.map((row) => row.most ?? BEST_SCORE));
  return {
    score: Math.max(WORST_SCORE, Math.min(sum, most)),
    reasons: rows.map(({ points, reason }) => ({ points, reason })),
  };
}
