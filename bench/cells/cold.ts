import { measureRounds, type Rounds } from '../rounds.ts';
import type { CellContext } from './cell.ts';

export type ColdResult = Rounds;

/** One call by every peer: until the result, and until nothing of it is left. */
export function measureCold({ stage, scale, tell }: CellContext): Promise<ColdResult> {
  const { rounds } = scale.cold;
  const ways = [...stage.peers].map(([key, peer]) => ({ key, peer }));
  return measureRounds(ways, { rounds, onRound: (round) => tell(`round ${round} of ${rounds}`) });
}
