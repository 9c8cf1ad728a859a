import { haveWaiting } from '../peers/lurkbox.ts';
import { checkOutput, createInput, SLEEPERS } from '../plugin.ts';
import { busyMs, waitUntilQuiet } from '../quiet.ts';

import type { CellContext } from './cell.ts';

export interface TenResult {
  readonly plugins: number;
  /** Until the last of the results. */
  readonly wallMs: readonly number[];
  /** What the slowest plugin took by its own clock. */
  readonly slowestMs: readonly number[];
  /** Of the whole machine for each plugin, until the last result. */
  readonly cpuMs: readonly number[];
}

/** Ten plugins on one context, each asleep for longer than the one before, with a container of each waiting. */
export async function measureTen({ stage, scale, tell }: CellContext): Promise<TenResult> {
  const { lurkbox, caller } = stage;
  const names = SLEEPERS.map(({ name }) => name);
  const wallMs: number[] = [];
  const slowestMs: number[] = [];
  const cpuMs: number[] = [];
  for (let round = 0; round <= scale.ten.rounds; round++) {
    tell(`round ${round} of ${scale.ten.rounds}`);
    await Promise.all(names.map((name) => haveWaiting(lurkbox, name, 1)));
    await waitUntilQuiet();
    const { payload } = createInput();
    const [startedAt, busyBefore] = [performance.now(), busyMs()];
    const results = await lurkbox.plugins.executePlugins({ inputData: { payload } }, { names });
    const elapsedMs = performance.now() - startedAt;
    const busy = busyMs() - busyBefore;
    const own = Object.values(results).map((result) => {
      caller.assertKind(result, ['warm']);
      return checkOutput({ payload, sleepMs: 0 }, result.result).ownMs;
    });
    if (round === 0) continue;
    wallMs.push(elapsedMs);
    slowestMs.push(Math.max(...own));
    cpuMs.push(busy / names.length);
  }
  await Promise.all(names.map((name) => lurkbox.plugins.prewarm(name, 0)));
  return { plugins: names.length, wallMs, slowestMs, cpuMs };
}
