import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import type { ContainerEngine } from '../../src/engine/engine.ts';
import { createLurkbox } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { ownProcess } from '../../src/process.ts';
import { createIdentity } from '../../src/sandboxes/cleanup/identity.ts';
import { findGuards, type Orchestrator, startOrchestrator } from '../helpers/orchestrator.ts';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import { until } from '../helpers/until.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** On an engine of its own, where nobody else prunes: what is removed there, the guard has removed. */
let privateEngine: PrivateEngine;
let engine: ContainerEngine;
let workspace: Workspace;

beforeAll(async () => {
  privateEngine = await createPrivateEngine();
  engine = await connectEngine({ env: privateEngine.env });
  workspace = await createWorkspace();
  const manifest = { resources: { memory_mb: 96, cpu_percent: 50, timeout_seconds: 60 } };
  // It never comes to the end of its input.
  await workspace.addPlugin('guard-burner', {
    code: 'export const execute = (_, host) => { host.progress(0); for (;;); };',
    manifest,
  });
  await workspace.addPlugin('guard-sleeper', {
    code: 'export const execute = (_, host) => { host.progress(0); return new Promise((r) => setTimeout(r, 60_000)); };',
    manifest,
  });
});
afterAll(async () => {
  await workspace?.[Symbol.asyncDispose]();
  await privateEngine?.[Symbol.asyncDispose]();
});

async function startBusy(plugin = 'guard-burner'): Promise<Orchestrator> {
  const program = `await lurkbox.plugins.executePlugin('${plugin}', {}, { onProgress: () => console.log('running') });`;
  const orchestrator = await startOrchestrator(workspace.root, program, privateEngine.env);
  await orchestrator.says('running');
  return orchestrator;
}

/** The states of its containers. */
const containersOf = async (owner: string): Promise<string[]> =>
  (await engine.listContainers(`${LABELS.process}=${owner}`)).map(({ state }) => state);

async function killWithGuard(orchestrator: Orchestrator): Promise<void> {
  for (const pid of findGuards(orchestrator.owner)) process.kill(pid, 'SIGKILL');
  await orchestrator.kill();
}

const isEmpty = (list: readonly unknown[]): boolean => list.length === 0;

describe('when the guard was killed together with its orchestrator', () => {
  test('an idle plugin ends by itself, because its input is closed (P2)', async () => {
    await using orchestrator = await startBusy('guard-sleeper');
    const { owner } = orchestrator;
    expect(await containersOf(owner)).toEqual(['running']);
    await killWithGuard(orchestrator);
    await until('it has ended', async () => (await containersOf(owner))[0] !== 'running', 10_000);
    expect(await containersOf(owner)).toEqual(['exited']);
  });

  test('the next orchestrator removes what it left (P2)', async () => {
    await using orchestrator = await startBusy();
    const { owner } = orchestrator;
    await killWithGuard(orchestrator);
    await using next = await createLurkbox({
      maxWarm: 0,
      workspaceRoot: workspace.root,
      env: privateEngine.env,
    });
    await next.engineFacts();
    await until('nothing of it is left', async () => isEmpty(await containersOf(owner)), 10_000);
  });

  test('the container stays until new guards, two at once, remove it and nothing else, and end (P2, P8)', async () => {
    await using living = await startBusy();
    await using orchestrator = await startBusy();
    const { owner } = orchestrator;
    await killWithGuard(orchestrator);
    await delay(3_000);
    expect(await containersOf(owner)).toEqual(['running']);

    const guards = [startGuardOf(owner), startGuardOf(owner)];
    try {
      await until('nothing of it is left', async () => isEmpty(await containersOf(owner)), 10_000);
      expect(await containersOf(living.owner)).toHaveLength(1);
      await until('nothing of it is left', async () => isEmpty(await findGuards(owner)), 40_000);
      expect(await containersOf(living.owner)).toHaveLength(1);
    } finally {
      for (const guard of guards) guard.kill('SIGKILL');
    }
    await living.kill();
    await until('nothing of it is left', async () => isEmpty(await containersOf(living.owner)), 10_000);
  });
});

describe('a guard', () => {
  test('runs while containers can exist, and is gone after its orchestrator has closed', async () => {
    const before = findGuards(ownProcess()).length;
    await using lurkbox = await createLurkbox({
      maxWarm: 0,
      workspaceRoot: workspace.root,
      env: privateEngine.env,
    });
    await lurkbox.engineFacts();
    expect(findGuards(ownProcess())).toHaveLength(before);
    await lurkbox.images();
    expect(findGuards(ownProcess())).toHaveLength(before + 1);
    await lurkbox.close();
    await lurkbox.close();
    expect(findGuards(ownProcess())).toHaveLength(before);
  });

  test('that is paused does not keep its orchestrator from closing', async () => {
    const before = findGuards(ownProcess());
    await using lurkbox = await createLurkbox({
      maxWarm: 0,
      workspaceRoot: workspace.root,
      env: privateEngine.env,
    });
    await lurkbox.images();
    const [guard = 0] = findGuards(ownProcess()).filter((pid) => !before.includes(pid));
    process.kill(guard, 'SIGSTOP');
    await lurkbox.close();
    expect(findGuards(ownProcess())).toEqual(before);
  });

  test('removes the busy container of a killed orchestrator (P2, P4)', async () => {
    await using orchestrator = await startBusy();
    expect(await containersOf(orchestrator.owner)).toHaveLength(1);
    await orchestrator.kill();
    await until('nothing of it is left', async () => isEmpty(await containersOf(orchestrator.owner)), 10_000);
  });

  test('removes it even when the engine restarts meanwhile (P2)', async () => {
    await using orchestrator = await startBusy();
    const killed = performance.now();
    await Promise.all([privateEngine.kill(), orchestrator.kill()]);
    await delay(3_000);
    await privateEngine.start();
    const left = 10_000 - (performance.now() - killed);
    await until('nothing of it is left', async () => isEmpty(await containersOf(orchestrator.owner)), left);
  });

  test('that was killed is started again', async () => {
    await using orchestrator = await startBusy();
    const [first = 0] = findGuards(orchestrator.owner);
    process.kill(first, 'SIGKILL');
    const others = () => findGuards(orchestrator.owner).filter((pid) => pid !== first);
    await until('there is another guard', () => others().length === 1, 10_000);
    await orchestrator.kill();
    await until('nothing of it is left', async () => isEmpty(await containersOf(orchestrator.owner)), 10_000);
  });

  test('survives what ends a service or a terminal session', async () => {
    await using orchestrator = await startBusy();
    const [guard = 0] = findGuards(orchestrator.owner);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(guard, signal);
    await orchestrator.kill();
    await until('nothing of it is left', async () => isEmpty(await containersOf(orchestrator.owner)), 10_000);
  });
});

test('a guard whose orchestrator is alive removes nothing, even when the pipe between them breaks (P8)', async () => {
  await using orchestrator = await startBusy();
  const guard = startGuardOf(orchestrator.owner);
  try {
    await delay(3_000);
    expect(guard.exitCode).toBeNull();
    expect(await containersOf(orchestrator.owner)).toHaveLength(1);
  } finally {
    guard.kill('SIGKILL');
    await once(guard, 'exit');
  }
});

/** As `startGuard` does it when the pipe has broken. */
function startGuardOf(owner: string): ChildProcess {
  const program = join(import.meta.dirname, '../../src/sandboxes/cleanup/guard-program.ts');
  const { host } = createIdentity();
  return spawn(process.execPath, [program, owner, host, join(workspace.root, '.lurkbox')], {
    stdio: 'ignore',
    env: { DOCKER_HOST: privateEngine.url },
  });
}
