import type { PeerId } from '../peers/peer.ts';
import { measureRounds, type Rounds } from '../rounds.ts';
import type { CellContext } from './cell.ts';

export interface WarmResult extends Rounds {
  readonly callsPerRound: number;
}

/** Calls that find a container waiting on a quiet machine, against `docker run` and a cold call. */
export async function measureWarm({ stage, scale, tell }: CellContext): Promise<WarmResult> {
  const { rounds, callsPerRound } = scale.warm;
  const calls: Partial<Record<PeerId, number>> = {
    'lurkbox-warm': callsPerRound,
    'lurkbox-cold': 1,
    'docker-run': 1,
  };
  const ways = [...stage.peers].flatMap(([key, peer]) =>
    calls[key] === undefined ? [] : [{ key, peer, calls: calls[key] }],
  );
  const onRound = (round: number): void => tell(`round ${round} of ${rounds}`);
  return { callsPerRound, ...(await measureRounds(ways, { rounds, onRound })) };
}
