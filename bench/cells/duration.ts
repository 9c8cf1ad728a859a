import { measureRounds, type Rounds } from '../rounds.ts';
import type { CellContext } from './cell.ts';

export const DURATIONS_MS = [0, 10, 100, 1_000];
export const DURATION_PEERS = ['lurkbox-warm', 'lurkbox-cold'] as const;

/** Columns are those of `<peer> <milliseconds>`. */
export type DurationResult = Rounds;

/** What a call costs beside its plugin, by how long the plugin takes. */
export function measureDuration({ stage, scale, tell }: CellContext): Promise<DurationResult> {
  const { rounds } = scale.duration;
  const ways = DURATION_PEERS.flatMap((id) => {
    const peer = stage.peers.get(id);
    if (peer === undefined) return [];
    return DURATIONS_MS.map((sleepMs) => ({ key: durationKey(id, sleepMs), peer, sleepMs }));
  });
  return measureRounds(ways, { rounds, onRound: (round) => tell(`round ${round} of ${rounds}`) });
}

export function durationKey(id: string, sleepMs: number): string {
  return `${id} ${sleepMs}`;
}
