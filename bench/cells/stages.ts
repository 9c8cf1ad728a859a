import type { Phases } from '../../src/index.ts';
import { type Accounts, readAccounts } from '../accounts.ts';
import type { PeerId } from '../peers/peer.ts';
import { createInput } from '../plugin.ts';
import { waitUntilQuiet } from '../quiet.ts';
import { shuffle } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import type { CellContext } from './cell.ts';

export const STAGE_PEERS = ['lurkbox-cold', 'docker-run'] as const satisfies PeerId[];
export type StagePeer = (typeof STAGE_PEERS)[number];

export interface StagesResult {
  readonly phases: readonly Phases[];
  /** CPU time for each call, one item per round. */
  readonly cpu: Readonly<Record<StagePeer, readonly Accounts[]>>;
}

/** Where the time of a cold call goes, and where the CPU time of the machine does. */
export async function measureStages({ stage, scale, tell }: CellContext): Promise<StagesResult> {
  const { rounds, calls } = scale.stages;
  const phases: Phases[] = [];
  const cpu: Record<StagePeer, Accounts[]> = { 'lurkbox-cold': [], 'docker-run': [] };
  for (let round = 0; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    for (const id of shuffle(STAGE_PEERS)) {
      if (!stage.peers.has(id)) continue;
      const measured = await measureBatch(stage, id, calls);
      if (round === 0) continue;
      phases.push(...measured.phases);
      cpu[id].push(measured.cpu);
    }
  }
  return { phases, cpu };
}

async function measureBatch(
  { peers }: Stage,
  id: StagePeer,
  calls: number,
): Promise<{ phases: Phases[]; cpu: Accounts }> {
  const phases: Phases[] = [];
  await waitUntilQuiet();
  const before = await readAccounts();
  for (let call = 0; call < calls; call++) {
    const timing = await peers.get(id)?.call(createInput());
    if (timing?.phases !== undefined) phases.push(timing.phases);
  }
  await waitUntilQuiet();
  return { phases, cpu: each(before, await readAccounts(), calls) };
}

function each(before: Accounts, after: Accounts, calls: number): Accounts {
  const pairs = Object.entries(after).map(([name, value]: [string, number | null]) => {
    const start = before[name as keyof Accounts];
    return [name, value === null || start === null ? null : (value - start) / calls];
  });
  return Object.fromEntries(pairs);
}
