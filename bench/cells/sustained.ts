import { createInput, ECHO } from '../plugin.ts';
import { busyMs, waitUntilQuiet } from '../quiet.ts';
import { shuffle } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import type { CellContext } from './cell.ts';

export const CALLERS = [1, 2, 4, 8];

export const SUSTAINED_WAYS = {
  process: 'Node process, no container',
  runc: 'runc run',
  'docker-run': 'docker run',
  dockerode: 'dockerode',
  'lurkbox-default': 'lurkbox, default pool',
  'lurkbox-no-pool': 'lurkbox, `maxWarm: 0`',
} as const;
export type SustainedWay = keyof typeof SUSTAINED_WAYS;

/** One closed loop from its first call until nothing was left. */
export interface Window {
  readonly way: SustainedWay;
  readonly callers: number;
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  /** Of the calls, those that found a container waiting. */
  readonly warmCalls: number;
}

export interface SustainedResult {
  readonly windowMs: number;
  readonly windows: readonly Window[];
  readonly failures: Readonly<Record<string, string>>;
}

/** Something to call in a loop. */
interface Loop {
  /** Answers whether a container was waiting. */
  call(): Promise<boolean>;
  /** Resolves when nothing is left. */
  drain(): Promise<void>;
}

/** Fresh containers per second: every caller calls again when it has its result, and what has to be removed is removed. */
export async function measureSustained({ stage, scale, tell }: CellContext): Promise<SustainedResult> {
  const { rounds, windowMs } = scale.sustained;
  const windows: Window[] = [];
  const failures: Record<string, string> = {};
  const pairs = (Object.keys(SUSTAINED_WAYS) as SustainedWay[]).flatMap((way) =>
    CALLERS.map((callers) => ({ way, callers })),
  );
  // The first round warms up: one call of each.
  for (let round = 0; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`);
    for (const pair of shuffle(round === 0 ? pairs.filter(({ callers }) => callers === 1) : pairs)) {
      if (failures[pair.way] !== undefined) continue;
      try {
        const window = await measureWindow(stage, pair, round === 0 ? 0 : windowMs);
        if (round > 0) windows.push(window);
      } catch (error) {
        failures[pair.way] = (error as Error).message;
      }
    }
  }
  return { windowMs, windows, failures };
}

async function measureWindow(
  stage: Stage,
  { way, callers }: { way: SustainedWay; callers: number },
  windowMs: number,
): Promise<Window> {
  const loop = await open(stage, way);
  let [calls, warmCalls] = [0, 0];
  await waitUntilQuiet();
  const [startedAt, busyBefore] = [performance.now(), busyMs()];
  const work = async (): Promise<void> => {
    do {
      if (await loop.call()) warmCalls++;
      calls++;
    } while (performance.now() - startedAt < windowMs);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: callers }, work));
  await loop.drain();
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const elapsedMs = performance.now() - startedAt;
  return { way, callers, calls, warmCalls, elapsedMs, cpuMs: busyMs() - busyBefore };
}

async function open(stage: Stage, way: SustainedWay): Promise<Loop> {
  if (isOfLurkbox(way)) return openLurkbox(stage, way);
  const peer = stage.peers.get(way);
  if (peer === undefined) throw new Error(stage.missing[way] ?? 'There is no such peer.');
  return {
    call: async () => {
      await peer.call(createInput());
      return false;
    },
    drain: async () => {},
  };
}

const LURKBOX_OPTIONS = {
  'lurkbox-default': { policy: {} },
  'lurkbox-no-pool': { maxWarm: 0 },
} as const;
type LurkboxWay = keyof typeof LURKBOX_OPTIONS;

function isOfLurkbox(way: SustainedWay): way is LurkboxWay {
  return Object.hasOwn(LURKBOX_OPTIONS, way);
}

/** One of its own for each window: closing it is what leaves nothing, and counts. */
async function openLurkbox(stage: Stage, way: LurkboxWay): Promise<Loop> {
  const lurkbox = await stage.createLurkbox(LURKBOX_OPTIONS[way]);
  const kinds = way === 'lurkbox-default' ? (['cold', 'warm'] as const) : (['cold'] as const);
  return {
    call: async () => {
      const { result } = await stage.caller.call(lurkbox, { plugin: ECHO, kinds, input: createInput() });
      return result.metadata['sandbox'] === 'warm';
    },
    drain: () => lurkbox.close(),
  };
}
