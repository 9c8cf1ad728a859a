import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createLurkbox } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { findGuards, startOrchestrator } from '../helpers/orchestrator.ts';
import { createWorkspace, findByLabel, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

/** P2: what is left may be left for so long after the death. */
const DEADLINE_MS = 10_000;
/** The guard waits for what may still come, and then it ends. */
const GUARD_DEADLINE_MS = 60_000;
/** An orchestrator is killed at some instant within its first so many milliseconds of work. */
const WORK_MS = 2_500;

const PLUGINS: Readonly<Record<string, string>> = {
  'kill-sleeper': 'export const execute = () => new Promise((resolve) => setTimeout(resolve, 60_000));',
  // The end of its input is an event that this one never comes to.
  'kill-burner': 'export const execute = () => { for (;;); };',
  'kill-quick': 'export const execute = () => 1;',
  'kill-talker': 'export const execute = () => { for (let i = 0; ; i++) console.log(i); };',
};

/** Keeps every plugin busy, and never ends by itself. */
const PROGRAM = `
  for (const { name } of lurkbox.plugins.list()) void busy(name);
  async function busy(name) {
    for (;;) await lurkbox.plugins.executePlugin(name);
  }
`;

const BUILT = 'kill-built';

export interface Killed {
  /** How long it worked. */
  readonly afterMs: number;
  /** How long anything of it was left, in milliseconds. */
  readonly goneAfterMs: number;
}

/**
 * Kills orchestrators at random instants of their work, one after the other, and waits each time until nothing of it
 * is left. Throws when something is left for longer than P2 allows, or when a guard does not end.
 */
export async function killOrchestrators(times: number): Promise<Killed[]> {
  await using workspace = await createWorkspace();
  await using _images = { [Symbol.asyncDispose]: () => removeImages(workspace.root) };
  await prepare(workspace);
  const killed: Killed[] = [];
  const owners: string[] = [];
  for (let time = 0; time < times; time++) {
    // Its image has to be built each time, which takes temporary files.
    await workspace.addPlugin(BUILT, { code: `export const execute = () => ${time};` });
    const afterMs = Math.random() * WORK_MS;
    const { owner, goneAfterMs } = await killOne(workspace.root, afterMs);
    owners.push(owner);
    killed.push({ afterMs, goneAfterMs });
  }
  await untilGuardsEnd(owners);
  return killed;
}

async function prepare(workspace: Workspace): Promise<void> {
  const permissions = { network: true };
  const resources = { memory_mb: 96, cpu_percent: 50, timeout_seconds: 60, output_kb: 16_000 };
  for (const [name, code] of Object.entries(PLUGINS)) {
    await workspace.addPlugin(name, {
      code,
      manifest: { resources, ...(name === 'kill-sleeper' ? { permissions } : {}) },
    });
  }
  await writeFile(join(workspace.root, 'lurkbox.policy.json'), JSON.stringify({ allow: { bridge: true } }));
}

/** The orchestrators are dead that would have done it. */
async function removeImages(root: string): Promise<void> {
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: root });
  for (const name of [...Object.keys(PLUGINS), BUILT]) await removeImagesOf(lurkbox, name);
}

async function killOne(root: string, afterMs: number): Promise<{ owner: string; goneAfterMs: number }> {
  const orchestrator = await startOrchestrator(root, PROGRAM);
  await delay(afterMs);
  await orchestrator.kill();
  const { owner } = orchestrator;
  return { owner, goneAfterMs: await untilNothingIsLeft(owner, root) };
}

async function untilNothingIsLeft(owner: string, root: string): Promise<number> {
  const died = performance.now();
  let goneAt: number | null = null;
  // What the engine was still making when its orchestrator died turns up later: nothing has to be left for a while.
  while (goneAt === null || performance.now() - goneAt < 1_500) {
    const left = await findLeft(owner, root);
    if (left.length === 0) goneAt ??= performance.now();
    else goneAt = null;
    if (left.length > 0 && performance.now() - died > DEADLINE_MS) {
      throw new Error(`left ${DEADLINE_MS / 1000} s after the death of ${owner}: ${left.join(', ')}`);
    }
    await delay(100);
  }
  return goneAt - died;
}

async function findLeft(owner: string, root: string): Promise<string[]> {
  const { containers, networks } = await findByLabel(`${LABELS.process}=${owner}`);
  const files = await readdir(join(root, '.lurkbox', 'tmp')).catch(() => []);
  return [...containers, ...networks, ...files.filter((name) => name.includes(owner.replaceAll(':', '.')))];
}

async function untilGuardsEnd(owners: readonly string[]): Promise<void> {
  const deadline = performance.now() + GUARD_DEADLINE_MS;
  let guards = findGuards(...owners);
  while (guards.length > 0) {
    if (performance.now() > deadline) throw new Error(`guards with nothing to guard: ${guards.join(', ')}`);
    await delay(500);
    guards = findGuards(...owners);
  }
}
