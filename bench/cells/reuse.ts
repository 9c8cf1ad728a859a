import { createInput, PLUGIN, SESSION } from '../plugin.ts';
import { busyMs, waitUntilQuiet } from '../quiet.ts';
import { shuffle } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import type { CellContext } from './cell.ts';

export interface ReuseWindow {
  readonly isolation: 'session' | 'plugin';
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly callMs: readonly number[];
}

export interface ReuseResult {
  readonly windows: readonly ReuseWindow[];
}

/** Calls one after the other in one reused container. */
export async function measureReuse({ stage, scale, tell }: CellContext): Promise<ReuseResult> {
  const { rounds, windowMs } = scale.reuse;
  const windows: ReuseWindow[] = [];
  for (let round = 0; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    for (const isolation of shuffle(['session', 'plugin'] as const)) {
      const window = await measureWindow(stage, isolation, windowMs);
      if (round > 0) windows.push(window);
    }
  }
  return { windows };
}

async function measureWindow(
  { lurkbox, caller }: Stage,
  isolation: ReuseWindow['isolation'],
  windowMs: number,
): Promise<ReuseWindow> {
  const common = { plugin: isolation === 'session' ? SESSION : PLUGIN, sessionId: 'reuse' };
  const call = (kinds: readonly ('cold' | 'warm' | 'kept')[]) =>
    caller.call(lurkbox, { ...common, kinds, input: createInput() });
  const first = await call(['cold', 'warm', 'kept']);
  await waitUntilQuiet();
  const callMs: number[] = [];
  const [startedAt, busyBefore] = [performance.now(), busyMs()];
  while (performance.now() - startedAt < windowMs) {
    const { resultMs, result } = await call(['kept']);
    callMs.push(resultMs);
    if (result.metadata['sandboxId'] !== first.result.metadata['sandboxId'])
      throw new Error('The container that was kept is another one.');
  }
  const elapsedMs = performance.now() - startedAt;
  return { isolation, calls: callMs.length, elapsedMs, cpuMs: busyMs() - busyBefore, callMs };
}
