import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { expect } from 'vitest';
import type { Outcome } from '../../src/calls/outcome.ts';
import { LABELS } from '../../src/labels.ts';
import type { ChaosProxy } from '../helpers/chaos-proxy.ts';
import { History } from '../helpers/history.ts';
import type { PrivateEngine } from '../helpers/private-engine.ts';
import { createPlugin, findByLabel, type Program, type TestPlugin, toContext } from '../helpers/workspace.ts';

/** The reaper looks every 30 s, whatever happened. */
const GONE_DEADLINE_MS = 60_000;

/** An engine of the test's own with a plugin on it, and what a person with a terminal can do to both. */
export interface EngineStage extends AsyncDisposable {
  readonly engine: PrivateEngine;
  readonly docker: Docker;
  readonly plugin: TestPlugin;
}

export async function createEngineStage(
  engine: PrivateEngine,
  { name, network = false, proxy }: { name: string; network?: boolean; proxy?: ChaosProxy },
): Promise<EngineStage> {
  const manifest = {
    permissions: { network },
    resources: { memory_mb: 96, cpu_percent: 100, timeout_seconds: 60 },
  };
  const env = proxy?.env ?? engine.env;
  const plugin = await createPlugin(name, { manifest }, { env, policy: { allow: { bridge: true } } });
  await plugin.lurkbox.plugins.prepare(name);
  const docker = new Docker({ socketPath: engine.socketPath });
  return { engine, docker, plugin, [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose]() };
}

const sleep: Program<number> = async (ms, host) => {
  host.progress(0);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return 'done';
};

const spin: Program<number> = async (ms, host) => {
  host.progress(0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const until = Date.now() + ms;
  while (Date.now() < until);
  return 'done';
};

const talk: Program<number> = async (ms, host) => {
  host.progress(0);
  const until = Date.now() + ms;
  while (Date.now() < until) {
    process.stdout.write('still here\n');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return 'done';
};

/** Something that befalls the engine, or a container on it, while plugins run. */
export interface EngineFault {
  readonly title: string;
  readonly act: (stage: EngineStage, containers: readonly Docker.Container[]) => Promise<unknown>;
  readonly outcomes: readonly Outcome[];
  /** How long the plugins run if they are let. */
  readonly runMs: number;
  readonly timeoutMs: number;
  /** How long the engine itself takes to work again. */
  readonly healMs: number;
}

const toEach =
  (act: (container: Docker.Container) => Promise<unknown>): EngineFault['act'] =>
  (_stage, containers) =>
    Promise.all(containers.map(act));

const USUAL = { runMs: 20_000, timeoutMs: 60_000, healMs: 0 };
const OUTLIVED = { ...USUAL, runMs: 2_000, outcomes: ['OK'] as const };

export const STOPPED: EngineFault = {
  title: 'the engine is stopped, and started again',
  act: async ({ engine }) => {
    await engine.stop();
    await engine.start();
  },
  outcomes: ['ENGINE_LOST'],
  ...USUAL,
};

export const KILLED: EngineFault = {
  title: 'the engine is killed, and started again',
  act: async ({ engine }) => {
    await engine.kill();
    await engine.start();
  },
  outcomes: ['ENGINE_LOST'],
  ...USUAL,
};

/** Longer than a removal tries by itself. */
export const KILLED_FOR_LONG: EngineFault = {
  title: 'the engine is killed, and stays away for longer than a removal tries',
  act: async ({ engine }) => {
    await engine.kill();
    await delay(12_000);
    await engine.start();
  },
  outcomes: ['ENGINE_LOST'],
  ...USUAL,
};

export const SHIM_KILLED: EngineFault = {
  title: 'the shims of the containers are killed',
  act: async ({ engine }) => {
    killEach(engine.pidsOf('containerd-shim'));
  },
  outcomes: ['PLUGIN_CRASHED', 'ENGINE_LOST'],
  ...USUAL,
};

export const CONTAINERD_KILLED: EngineFault = {
  title: 'the containerd of the engine is killed, which leaves the containers running',
  act: async ({ engine }) => {
    killEach(engine.pidsOf('containerd'));
  },
  ...OUTLIVED,
  // The engine takes a dozen seconds to start another, and starts no container until then.
  healMs: 60_000,
};

/** What somebody does to containers by hand. */
export const BY_HAND: readonly EngineFault[] = [
  {
    title: 'somebody removes the container',
    act: toEach((container) => container.remove({ force: true })),
    outcomes: ['CONTAINER_VANISHED'],
    ...USUAL,
  },
  {
    title: 'somebody stops the container',
    act: toEach((container) => container.stop()),
    outcomes: ['ENGINE_LOST'],
    ...USUAL,
  },
  {
    title: 'somebody kills the container',
    act: toEach((container) => container.kill()),
    outcomes: ['ENGINE_LOST'],
    ...USUAL,
  },
  {
    title: 'somebody restarts the container',
    act: toEach((container) => container.restart({ t: 1 })),
    // It may run again before it is found to have ended; nobody gives it a context any more.
    outcomes: ['ENGINE_LOST', 'TIMEOUT'],
    ...USUAL,
    timeoutMs: 4_000,
  },
  {
    title: 'somebody pauses the container',
    act: toEach((container) => container.pause()),
    outcomes: ['TIMEOUT'],
    ...USUAL,
    timeoutMs: 2_000,
  },
  {
    title: 'somebody pauses the container, and lets it go on',
    act: toEach(async (container) => {
      await container.pause();
      await delay(500);
      await container.unpause();
    }),
    ...OUTLIVED,
  },
  {
    title: 'somebody renames the container',
    act: toEach((container) => container.rename({ name: `renamed-${container.id.slice(0, 12)}` })),
    ...OUTLIVED,
  },
];

/** With a network of its own only. */
export const NETWORK_REMOVED: EngineFault = {
  title: 'somebody takes the network away from the container',
  act: async ({ docker }, containers) => {
    for (const container of containers) {
      const { NetworkSettings } = await container.inspect();
      for (const name of Object.keys(NetworkSettings.Networks)) {
        await docker.getNetwork(name).disconnect({ Container: container.id, Force: true });
        await docker.getNetwork(name).remove();
      }
    }
  },
  ...OUTLIVED,
};

/** P1, P2: plugins that run meet the fault. Each has one typed outcome, nothing is left, and the next call is well. */
export async function runEngineFault(stage: EngineStage, fault: EngineFault): Promise<void> {
  const { docker, plugin } = stage;
  const history = new History();
  const running = [sleep, spin, talk].map((program) => start(plugin, history, program, fault));
  await Promise.all(running.map(({ runs }) => runs));
  const label = `${LABELS.plugin}=${plugin.name}`;
  const containers = await docker.listContainers({ filters: { label: [label] } });
  expect(containers).toHaveLength(running.length);
  await fault.act(
    stage,
    containers.map(({ Id }) => docker.getContainer(Id)),
  );

  const results = await Promise.all(running.map(({ result }) => result));
  history.check();
  for (const result of results) {
    expect(fault.outcomes).toContain(result?.outcome);
    if (result?.outcome === 'OK') expect(result.result).toBe('done');
    else expect(result?.error?.message).toMatch(/\. [A-Z]/);
  }
  await untilItWorks(stage, fault.healMs);
  await expectWell(stage);
}

async function untilItWorks({ plugin }: EngineStage, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const { outcome } = await plugin.lurkbox.plugins.executePlugin(
      plugin.name,
      toContext(() => 'well'),
    );
    if (outcome === 'OK') return;
    await delay(500);
  }
}

/** The next call works, and nothing of the calls before it is left. */
export async function expectWell({ engine, plugin }: EngineStage): Promise<void> {
  const result = await plugin.lurkbox.plugins.executePlugin(
    plugin.name,
    toContext(() => 'well'),
  );
  expect(result).toMatchObject({ outcome: 'OK', result: 'well' });
  const deadline = performance.now() + GONE_DEADLINE_MS;
  while (true) {
    const { containers, networks } = await findByLabel(`${LABELS.plugin}=${plugin.name}`, engine.env);
    const left = [...containers, ...networks];
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`${left.join(', ')} is still there after a minute`);
    await delay(200);
  }
}

function start(plugin: TestPlugin, history: History, program: Program<number>, fault: EngineFault) {
  const up = Promise.withResolvers<void>();
  const result = history.record(fault.title, () =>
    plugin.lurkbox.plugins.executePlugin(plugin.name, toContext(program, fault.runMs), {
      timeoutMs: fault.timeoutMs,
      onProgress: () => up.resolve(),
    }),
  );
  return { runs: Promise.race([up.promise, result]), result };
}

/** Removes the images of the plugin, as `docker rmi --force` would, and those it stands on where `base` is set. */
export async function removeImages(
  { docker, plugin }: EngineStage,
  { base = false }: { base?: boolean } = {},
): Promise<void> {
  const wanted = base ? `${LABELS.kind}=image` : `${LABELS.plugin}=${plugin.name}`;
  const images = await docker.listImages({ filters: { label: [wanted] } });
  for (const { Id } of images) await docker.getImage(Id).remove({ force: true });
}

/** Some may end by themselves meanwhile, when a storm has just killed what they were for. */
function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Faults at random, one after the other, while executions go on and on. */
export async function runEngineStorm(
  stage: EngineStage,
  { rounds, atOnce, seed }: { rounds: number; atOnce: number; seed: number },
): Promise<Record<string, number>> {
  const { plugin, docker } = stage;
  const history = new History();
  const faults = [STOPPED, KILLED, SHIM_KILLED, ...BY_HAND];
  const images: EngineFault['act'] = (on) => removeImages(on).catch(() => {});
  let isOver = false;
  let executions = 0;
  const work = async (): Promise<void> => {
    for (let index = executions++; !isOver; index = executions++) {
      const program = [sleep, spin, talk][index % 3] as Program<number>;
      await history.record(`execution ${index} of seed ${seed}`, () =>
        plugin.lurkbox.plugins.executePlugin(plugin.name, toContext(program, 400), { timeoutMs: 3_000 }),
      );
      // An engine that is away refuses at once.
      await delay(50);
    }
  };
  const workers = Array.from({ length: atOnce }, work);
  for (let round = 0; round < rounds; round++) {
    await delay(1_500);
    const act = round % 5 === 4 ? images : (faults[(seed + round * 7) % faults.length]?.act ?? images);
    const running = await docker.listContainers({ filters: { label: [`${LABELS.plugin}=${plugin.name}`] } });
    // A container may be gone by the time that somebody has found it.
    await act(
      stage,
      running.map(({ Id }) => docker.getContainer(Id)),
    ).catch(ignoreEngine);
  }
  isOver = true;
  await Promise.all(workers);
  history.check();
  for (let call = 0; call < 20; call++) await expectWell(stage);
  return history.count();
}

/** What the engine answers to somebody who is too late. */
function ignoreEngine(error: unknown): void {
  if ((error as { statusCode?: number }).statusCode === undefined) throw error;
}
