import type { Peer, Timing } from './peers/peer.ts';
import { createInput } from './plugin.ts';
import { busyMs } from './quiet.ts';

/** What one peer needed, call after call. */
export interface Column {
  readonly resultMs: number[];
  /** Empty where the container stays. */
  readonly goneMs: number[];
  /** Until the result, without the plugin's own time. */
  readonly overheadMs: number[];
  /** Of the whole machine, until nothing of the call was left and what it used up was replaced. */
  readonly cpuMs: number[];
}

export interface Rounds {
  readonly columns: Readonly<Record<string, Column>>;
  /** Why a way was left out from some round on. */
  readonly failures: Readonly<Record<string, string>>;
}

/** One way of calling, measured beside others. */
export interface Way {
  readonly key: string;
  readonly peer: Peer;
  /** How many calls a round has. @default 1 */
  readonly calls?: number;
  readonly sleepMs?: number;
}

/** Each round measures all ways in random order; the first round warms up and does not count. */
export async function measureRounds(
  ways: readonly Way[],
  { rounds, onRound }: { rounds: number; onRound?: (round: number) => void },
): Promise<Rounds> {
  const columns: Record<string, Column> = {};
  const failures: Record<string, string> = {};
  for (let round = 0; round <= rounds; round++) {
    onRound?.(round);
    for (const way of shuffle(ways)) {
      if (failures[way.key] !== undefined) continue;
      try {
        const samples = await measureCalls(way);
        if (round > 0) for (const sample of samples) add(columns, way.key, sample);
      } catch (error) {
        failures[way.key] = (error as Error).message;
      }
    }
  }
  return { columns, failures };
}

interface Sample extends Timing {
  readonly cpuMs: number;
}

async function measureCalls({ peer, calls = 1, sleepMs = 0 }: Way): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let call = 0; call < calls; call++) {
    await peer.before?.();
    const input = createInput(sleepMs);
    const busyBefore = busyMs();
    const timing = await peer.call(input);
    await peer.after?.();
    samples.push({ ...timing, cpuMs: busyMs() - busyBefore });
  }
  return samples;
}

function add(columns: Record<string, Column>, key: string, { resultMs, goneMs, ownMs, cpuMs }: Sample): void {
  columns[key] ??= { resultMs: [], goneMs: [], overheadMs: [], cpuMs: [] };
  const column = columns[key];
  column.resultMs.push(resultMs);
  if (goneMs !== null) column.goneMs.push(goneMs);
  column.overheadMs.push(resultMs - ownMs);
  column.cpuMs.push(cpuMs);
}

export function shuffle<Item>(items: readonly Item[]): Item[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as Item, shuffled[last] as Item];
  }
  return shuffled;
}
