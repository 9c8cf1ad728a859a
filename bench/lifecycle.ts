// node bench/lifecycle.ts
// Measures how long a workspace with a thousand installed plugins takes to open and to answer, and how long after it was
// saved a file serves. Prints a table, and writes bench/results/lifecycle.json. The second part needs an engine.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { print, tell } from '../src/cli/output.ts';
import { createLurkbox, type Lurkbox } from '../src/index.ts';
import { formatNumber, toTable } from './format.ts';
import { RESULTS_FOLDER, writeResult } from './results.ts';
import { median, percentile } from './statistics.ts';

const PLUGINS = 1_000;
const OPENINGS = 10;
const SAVES = 15;
const DEBOUNCE_MS = 1_000;
const NAME = 'bench-saved';

const root = await mkdtemp(join(tmpdir(), 'lurkbox-bench-'));
try {
  tell(`Installing ${PLUGINS} plugins …`);
  for (let index = 0; index < PLUGINS; index++) await writePlugin(`bench-${index}`, index);
  const installMs = await timeOf(() => inLurkbox(({ plugins }) => plugins.discoverAndLoadAll(root)));
  const openMs: number[] = [];
  const discoverMs: number[] = [];
  for (let opening = 0; opening < OPENINGS; opening++) {
    const startedAt = performance.now();
    await using lurkbox = await open();
    if (lurkbox.plugins.list().length !== PLUGINS) throw new Error('not all of them are there');
    openMs.push(performance.now() - startedAt);
    discoverMs.push(await timeOf(() => lurkbox.plugins.discoverAndLoadAll(root)));
  }
  const liveMs = await measureSaves();
  await writeResult(RESULTS_FOLDER, 'lifecycle', {
    plugins: PLUGINS,
    installMs,
    openMs,
    discoverMs,
    debounceMs: DEBOUNCE_MS,
    liveMs,
  });
  print(
    toTable(
      ['ms', 'median', '95 %'],
      [
        row(`open with ${PLUGINS} installed plugins, and list them`, openMs),
        row('read their folders again, nothing changed', discoverMs),
        row('install them all', [installMs]),
        row(`from saving to serving, the ${DEBOUNCE_MS} ms of the debounce included`, liveMs),
      ],
    ),
  );
} finally {
  await rm(root, { recursive: true, force: true });
}

function open(): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: root, maxWarm: 0 });
}

async function inLurkbox<T>(work: (lurkbox: Lurkbox) => Promise<T>): Promise<T> {
  await using lurkbox = await open();
  return await work(lurkbox);
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function writePlugin(name: string, answer: number): Promise<void> {
  const folder = join(root, 'plugins', name);
  const manifest = {
    name,
    version: '1.0.0',
    author: { name: 'Bench' },
    description: 'Answers a number',
    plugin_type: 'tool',
    entry_point: 'index.mjs',
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'index.mjs'), `export const execute = () => ${answer};\n`);
}

/** Until a call would be served by the new content: its image is there, and it is active. */
async function measureSaves(): Promise<number[]> {
  const plugins = join(root, 'plugins');
  await rm(plugins, { recursive: true });
  await writePlugin(NAME, 0);
  return inLurkbox(async (lurkbox) => {
    await lurkbox.plugins.discoverAndLoadAll(root);
    await lurkbox.plugins.prepare(NAME);
    const reloads: (() => void)[] = [];
    const watching = lurkbox.hotReload({
      watchPaths: [plugins],
      debounceMs: DEBOUNCE_MS,
      onReload: () => reloads.shift()?.(),
    });
    await watching.start();
    await delay(2 * DEBOUNCE_MS);
    const liveMs: number[] = [];
    for (let save = 1; save <= SAVES; save++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      reloads.push(resolve);
      tell(`save ${save} of ${SAVES}`);
      const startedAt = performance.now();
      await writePlugin(NAME, save);
      await promise;
      liveMs.push(performance.now() - startedAt);
      const { result } = await lurkbox.plugins.executePlugin(NAME, {}, { waitForRemoval: true });
      if (result !== save) throw new Error(`expected ${save}, got ${result}`);
    }
    await watching.stop();
    await lurkbox.plugins.unloadPlugin(NAME);
    return liveMs;
  });
}

function row(what: string, ms: readonly number[]): string[] {
  return [what, formatNumber(median(ms)), formatNumber(percentile(ms, 95))];
}
