import pLimit from 'p-limit';
import { expect } from 'vitest';
import type { Outcome } from '../../src/calls/outcome.ts';
import { createLurkbox, type PluginExecutionResult } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import {
  CALL_NAMES,
  CALM,
  type CallName,
  type Chaos,
  disturb,
  FAULT_NAMES,
  type Fault,
  HANGING,
  type StreamDisturbance,
} from '../helpers/chaos-faults.ts';
import { type ChaosProxy, createChaosProxy } from '../helpers/chaos-proxy.ts';
import { History } from '../helpers/history.ts';
import { until } from '../helpers/until.ts';
import {
  createWorkspace,
  findByLabel,
  type Program,
  removeImagesOf,
  toContext,
} from '../helpers/workspace.ts';

const PROBE =
  'export const execute = ({ inputData: { program, args } }, host) => (0, eval)(program)(args, host);';
/** The reaper looks again after 15 s at the latest, and then every 30 s. */
const GONE_DEADLINE_MS = 60_000;

/** A plugin whose image is ready, and with a network of its own, so that every call to an engine is among its calls. */
export interface ChaosStage extends AsyncDisposable {
  /** Another lurkbox with a proxy of its own, and a plugin without an image where it is to be `fresh`. */
  enter(options?: { readonly fresh?: boolean }): Promise<Disturbed>;
}

export interface Disturbed extends AsyncDisposable {
  readonly proxy: ChaosProxy;
  run(program: Program): Promise<PluginExecutionResult>;
}

export async function createChaosStage(): Promise<ChaosStage> {
  const workspace = await createWorkspace();
  const options = { maxWarm: 0, workspaceRoot: workspace.root, policy: { allow: { bridge: true } } };
  const plain = await createLurkbox(options);
  const ready = await addProbe('chaos-probe');
  await plain.plugins.prepare('chaos-probe');
  let fresh = 0;

  return {
    enter: async (wanted = {}) => {
      const name = wanted.fresh ? `chaos-fresh-${++fresh}` : 'chaos-probe';
      const folder = wanted.fresh ? await addProbe(name) : ready;
      const proxy = await createChaosProxy();
      const lurkbox = await createLurkbox({ ...options, env: proxy.env });
      await lurkbox.plugins.loadPlugin(folder);
      return {
        proxy,
        run: (program) => lurkbox.plugins.executePlugin(name, toContext(program), { timeoutMs: 3_000 }),
        [Symbol.asyncDispose]: async () => {
          await lurkbox.close();
          await proxy[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      const names = plain.plugins.list().map(({ name }) => name);
      await plain.close();
      for (const name of names) await removeImagesOf(plain, name);
      await workspace[Symbol.asyncDispose]();
    },
  };

  async function addProbe(name: string): Promise<string> {
    const manifest = { permissions: { network: true } };
    const folder = await workspace.addPlugin(name, { code: PROBE, manifest });
    await plain.plugins.loadPlugin(folder);
    return folder;
  }
}

/** One fault in the life of one execution, and the outcomes that may come of it. */
export interface ChaosCase {
  readonly title: string;
  readonly chaos: Chaos;
  readonly stream: StreamDisturbance | null;
  readonly program: Program;
  readonly outcomes: readonly Outcome[];
  readonly isHanging: boolean;
  /** The image of the plugin is not there yet. */
  readonly fresh: boolean;
}

const answer: Program = () => 'the answer';
const crash: Program = () => process.exit(3);
/** As an engine that was killed says of the containers that it finds dead. */
const crashOddly: Program = () => process.exit(255);

/** Only a container that ends without an answer is waited for, and only for an odd end is more asked. */
const PROGRAMS: Partial<Record<CallName, Program>> = { wait: crash, events: crashOddly };

/** Nothing of the execution depends on them, or they are made again. */
const HARMLESS: readonly CallName[] = ['listContainers', 'listNetworks', 'removeContainer', 'removeNetwork'];
/** Before them nothing was asked of the engine. */
const FIRST: readonly CallName[] = ['ping', 'version', 'info'];

/** Every fault in every call. */
export const CALL_CASES: readonly ChaosCase[] = CALL_NAMES.flatMap((call) =>
  FAULT_NAMES.map((fault) => ({
    title: `${call}: ${fault}`,
    chaos: disturb(call, fault),
    stream: null,
    program: PROGRAMS[call] ?? answer,
    outcomes: outcomesOf(call, fault),
    isHanging: HANGING.includes(fault),
    fresh: call === 'loadImage',
  })),
);

function outcomesOf(call: CallName, fault: Fault): readonly Outcome[] {
  if (call in PROGRAMS && fault === 'slow') return ['PLUGIN_CRASHED'];
  // An engine that does not tell what happened leaves it with what the exit code says.
  if (call === 'events' && /status|500/.test(fault)) return ['PLUGIN_CRASHED'];
  if (fault === 'slow' || HARMLESS.includes(call)) return ['OK'];
  // What the engine says of an image that it took is looked through for an error, and the image looked for.
  if (call === 'loadImage' && fault === 'no JSON') return ['OK'];
  if (call === 'ping') return ['ENGINE_UNAVAILABLE'];
  if (HANGING.includes(fault)) return call in PROGRAMS ? ['TIMEOUT'] : ['ENGINE_TIMEOUT'];
  if (FIRST.includes(call)) return ['ENGINE_UNAVAILABLE'];
  // The engine says that what it was asked is wrong.
  if (fault === 'wrong status') return ['INTERNAL'];
  return ['ENGINE_LOST'];
}

const talk: Program = async () => {
  process.stdout.write('x'.repeat(70_000));
  await new Promise((resolve) => setTimeout(resolve, 500));
  return 'the answer';
};

/** Faults of the attached stream: before `ready`, in it, and behind it while the plugin runs. */
export const STREAM_CASES: readonly ChaosCase[] = [
  // The end of its input makes the runner leave, and its exit code tells why.
  ...streamCases('cut', [0, 40, 5_000, 40_000], ['ENGINE_LOST']),
  // The host has written nothing yet that could be left unread, or `ready` never came.
  ...streamCases('reset', [150], ['ENGINE_LOST', 'TIMEOUT']),
  // Inside a frame it passes for what the container says, outside it is none of an engine's.
  ...streamCases('garbage', [0], ['ENGINE_LOST']),
  ...streamCases('garbage', [40, 5_000], ['PROTOCOL_ERROR', 'TIMEOUT']),
  ...streamCases('stalled', [5_000], ['TIMEOUT']),
  ...streamCases('deaf', [0], ['TIMEOUT']),
];

/** Node has half a minute to come up. */
export const STALLED_BOOT: readonly ChaosCase[] = streamCases('stalled', [0, 40], ['TIMEOUT']).map(
  (stalled) => ({ ...stalled, isHanging: true }),
);

function streamCases(
  streamFault: StreamDisturbance['streamFault'],
  places: readonly number[],
  outcomes: readonly Outcome[],
): ChaosCase[] {
  return places.map((afterBytes) => ({
    title: `the stream: ${streamFault} after ${afterBytes} bytes`,
    chaos: CALM,
    stream: { streamFault, afterBytes },
    program: talk,
    outcomes,
    isHanging: false,
    fresh: false,
  }));
}

/** P1, P2, P9: one typed outcome that says what to do, one start at most, nothing left; and the next call is well. */
export async function runChaosCase(stage: ChaosStage, chaosCase: ChaosCase): Promise<void> {
  await using disturbed = await stage.enter(chaosCase);
  const { proxy } = disturbed;
  proxy.chaos = chaosCase.chaos;
  proxy.stream = chaosCase.stream;
  const history = new History();
  const result = await history.record(chaosCase.title, () => disturbed.run(chaosCase.program));
  history.check();
  expect(chaosCase.outcomes).toContain(result?.outcome);
  if (result?.outcome === 'OK') expect(result.result).toBe('the answer');
  else expect(result?.error?.message).toMatch(ACTIONABLE);

  await proxy.settled();
  await untilGone(`${LABELS.execution}=${result?.executionId}`);
  expect([...proxy.starts.values()].filter((starts) => starts > 1)).toEqual([]);

  proxy.chaos = CALM;
  proxy.stream = null;
  expect(await disturbed.run(answer)).toMatchObject({ outcome: 'OK', result: 'the answer' });
}

/** Several side by side, for those that only wait. Every failure is told, with its case. */
export async function runChaosCases(
  stage: ChaosStage,
  cases: readonly ChaosCase[],
  atOnce: number,
): Promise<void> {
  const limit = pLimit(atOnce);
  const runs = cases.map((chaosCase) => limit(() => runChaosCase(stage, chaosCase)));
  const failures = (await Promise.allSettled(runs)).flatMap((run, index) =>
    run.status === 'rejected' ? `${cases[index]?.title}: ${String(run.reason)}` : [],
  );
  expect(failures).toEqual([]);
}

/** What a message says that tells a person what to do. */
const ACTIONABLE =
  /[Ll]ook at|Start the engine|Start it, or choose another|Its log may tell more|Raise `timeout_seconds`|The container sent something that is not the protocol/;

/** Faults of all kinds at random, over many executions side by side. Answers how often each outcome came. */
export async function runChaosStorm(
  stage: ChaosStage,
  { executions, atOnce, seed }: { executions: number; atOnce: number; seed: number },
): Promise<Record<string, number>> {
  await using disturbed = await stage.enter();
  const { proxy } = disturbed;
  const random = randomOf(seed);
  const faults = FAULT_NAMES.filter((fault) => !HANGING.includes(fault));
  proxy.chaos = () => {
    if (random() < 0.002) return pick(HANGING, random);
    return random() < 0.04 ? pick(faults, random) : null;
  };
  const history = new History();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < executions) {
      const index = next++;
      proxy.stream = random() < 0.1 ? pick(STREAM_CASES, random).stream : null;
      await history.record(`execution ${index} of seed ${seed}`, () =>
        disturbed.run(index % 3 === 0 ? crash : answer),
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));

  proxy.chaos = CALM;
  proxy.stream = null;
  await proxy.settled();
  history.check();
  expect([...proxy.starts.values()].filter((starts) => starts > 1)).toEqual([]);
  await untilGone(`${LABELS.plugin}=chaos-probe`);
  for (let call = 0; call < 10; call++) expect(await disturbed.run(answer)).toMatchObject({ outcome: 'OK' });
  return history.count();
}

const untilGone = (label: string) =>
  until(
    `nothing is left of ${label}`,
    async () => {
      const { containers, networks } = await findByLabel(label);
      return containers.length + networks.length === 0;
    },
    GONE_DEADLINE_MS,
  );

function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
