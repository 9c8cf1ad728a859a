import { haveWaiting } from '../peers/lurkbox.ts';
import type { Timing } from '../peers/peer.ts';
import { createInput, ECHO, type Input, PLACES } from '../plugin.ts';
import { busyMs, waitUntilQuiet } from '../quiet.ts';
import { shuffle } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import type { CellContext } from './cell.ts';

export interface Burst {
  /** From the first call until the last result; `null` where none came. */
  readonly lastResultMs: number | null;
  /** Until the result of each call. */
  readonly callMs: readonly number[];
  /** Of the whole machine for each call, until the last container was gone or its caller had the result. */
  readonly cpuMs: number;
  readonly failures: number;
}

export interface BurstResult {
  readonly calls: number;
  readonly lurkbox: readonly Burst[];
  readonly dockerRun: readonly Burst[];
  /** The first failure of each side, in words. */
  readonly reasons: readonly string[];
}

/** Many calls at once, with as many containers waiting, against as many `docker run` at once. */
export async function measureBurst({ stage, scale, tell }: CellContext): Promise<BurstResult> {
  const { rounds, calls } = scale.burst;
  const lurkbox: Burst[] = [];
  const dockerRun: Burst[] = [];
  const reasons = new Set<string>();
  for (let round = 0; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    // The round that warms up need not be as large.
    const count = round === 0 ? Math.min(5, calls) : calls;
    for (const [side, measure] of shuffle([
      [lurkbox, burstOfLurkbox],
      [dockerRun, burstOfDockerRun],
    ] as const)) {
      const { reason, ...burst } = await measure(stage, count);
      if (round > 0) side.push(burst);
      if (reason !== null) reasons.add(reason);
    }
  }
  return { calls, lurkbox, dockerRun, reasons: [...reasons] };
}

async function burstOfLurkbox(stage: Stage, count: number): Promise<BurstOutcome> {
  await using lurkbox = await stage.createLurkbox(PLACES);
  await haveWaiting(lurkbox, ECHO, count);
  await waitUntilQuiet();
  // Awaited here: what it calls is closed on the way out.
  return await burst(count, (input) => stage.caller.call(lurkbox, { plugin: ECHO, kinds: ['warm'], input }));
}

async function burstOfDockerRun({ peers, missing }: Stage, count: number): Promise<BurstOutcome> {
  const peer = peers.get('docker-run');
  if (peer === undefined) throw new Error(missing['docker-run'] ?? 'There is no such peer.');
  await waitUntilQuiet();
  return burst(count, (input) => peer.call(input));
}

type BurstOutcome = Burst & { readonly reason: string | null };

async function burst(count: number, call: (input: Input) => Promise<Timing>): Promise<BurstOutcome> {
  const inputs = Array.from({ length: count }, () => createInput());
  const [startedAt, busyBefore] = [performance.now(), busyMs()];
  const outcomes = await Promise.allSettled(inputs.map(call));
  const timings = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  const callMs = timings.map((timing) => timing.startedAt + timing.resultMs - startedAt);
  return {
    lastResultMs: callMs.length === 0 ? null : Math.max(...callMs),
    callMs,
    cpuMs: (busyMs() - busyBefore) / count,
    failures: count - timings.length,
    reason: failed === undefined ? null : (failed.reason as Error).message,
  };
}
