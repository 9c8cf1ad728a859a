import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { LABELS } from '../../src/labels.ts';
import { haveWaiting } from '../peers/lurkbox.ts';
import { ECHO, PLACES } from '../plugin.ts';
import { waitUntilQuiet } from '../quiet.ts';
import type { Stage } from '../stage.ts';
import { median } from '../statistics.ts';
import type { CellContext } from './cell.ts';

export interface MemoryResult {
  readonly containers: number;
  /** What the machine has less available, for each container. */
  readonly availableBytesEach: number;
  /** Medians of what the kernel shares out to one process; `null` where it cannot be read. */
  readonly nodePssBytes: number | null;
  readonly shimPssBytes: number | null;
  /** What the orchestrator itself grew by, for each container. */
  readonly orchestratorBytesEach: number;
}

const KIB = 1024;

/** What a container costs that waits. */
export async function measureMemory({ stage, scale, tell }: CellContext): Promise<MemoryResult> {
  const { containers, settleMs } = scale.memory;
  await using lurkbox = await stage.createLurkbox(PLACES);
  // What the first one brings into the page cache is not the price of one more.
  await haveWaiting(lurkbox, ECHO, 1);
  tell('before');
  await settle(settleMs);
  const before = { available: await availableBytes(), own: process.memoryUsage.rss() };
  tell(`${containers} containers`);
  await haveWaiting(lurkbox, ECHO, containers);
  await settle(settleMs);
  const after = { available: await availableBytes(), own: process.memoryUsage.rss() };
  const more = containers - 1;
  return {
    containers,
    availableBytesEach: (before.available - after.available) / more,
    orchestratorBytesEach: (after.own - before.own) / more,
    ...(await measurePss(stage)),
  };
}

async function settle(ms: number): Promise<void> {
  await waitUntilQuiet();
  await delay(ms);
}

async function availableBytes(): Promise<number> {
  const file = await readFile('/proc/meminfo', 'utf8');
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(file)?.[1] ?? Number.NaN) * KIB;
}

async function measurePss({ docker }: Stage): Promise<Pick<MemoryResult, 'nodePssBytes' | 'shimPssBytes'>> {
  const filters = { label: [`${LABELS.plugin}=${ECHO}`], status: ['running'] };
  const running = await docker.listContainers({ filters });
  const processes = await Promise.all(
    running.map(async ({ Id }) => {
      const { State } = await docker.getContainer(Id).inspect();
      return { node: await pssOf(State.Pid), shim: await pssOf(await parentOf(State.Pid)) };
    }),
  ).catch(() => []);
  if (processes.length === 0) return { nodePssBytes: null, shimPssBytes: null };
  return {
    nodePssBytes: median(processes.map(({ node }) => node)),
    shimPssBytes: median(processes.map(({ shim }) => shim)),
  };
}

/** @throws where the process is another user's, or on another machine */
async function pssOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * KIB;
}

async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
}
