// node bench/registry.ts
// Measures the registry of plugins: how long it takes to open one, and what is asked of it among ten thousand plugins.
// Prints a table, and writes bench/results/registry.json. Needs no engine.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print, tell } from '../src/cli/output.ts';
import { SILENT_LOGGER } from '../src/logger.ts';
import { PluginManifestSchema } from '../src/manifest/schema.ts';
import type { NewVersion } from '../src/versions/registry/record.ts';
import { PluginRegistry } from '../src/versions/registry/registry.ts';
import { formatNumber, toTable } from './format.ts';
import { RESULTS_FOLDER, writeResult } from './results.ts';
import { median, percentile } from './statistics.ts';

const SIZES = [1_000, 10_000] as const;
const OPENINGS = 15;
const CALLS = 300;

/** Milliseconds of each, in the order in which they were taken. */
interface Size {
  readonly plugins: number;
  readonly openMs: readonly number[];
  /** After opening: manifests are checked when somebody asks for them. */
  readonly firstListMs: readonly number[];
  readonly callsMs: Readonly<Record<string, Spread>>;
}

interface Spread {
  readonly medianMs: number;
  readonly p95Ms: number;
}

const sizes: Size[] = [];
for (const plugins of SIZES) sizes.push(await measure(plugins));
await writeResult(RESULTS_FOLDER, 'registry', { openings: OPENINGS, calls: CALLS, sizes });
print(toTable(['ms', ...SIZES.map((plugins) => `${plugins} plugins`)], toRows(sizes)));

async function measure(plugins: number): Promise<Size> {
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-bench-'));
  try {
    tell(`Registering ${plugins} plugins …`);
    await fill(folder, plugins);
    const openMs: number[] = [];
    const firstListMs: number[] = [];
    for (let opening = 0; opening < OPENINGS; opening++) {
      const startedAt = performance.now();
      await using registry = await open(folder);
      openMs.push(performance.now() - startedAt);
      firstListMs.push(time(() => registry.list()));
    }
    await using registry = await open(folder);
    registry.list();
    return { plugins, openMs, firstListMs, callsMs: measureCalls(registry, plugins) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function open(stateFolder: string): Promise<PluginRegistry> {
  return PluginRegistry.open({ stateFolder, logger: SILENT_LOGGER });
}

async function fill(folder: string, plugins: number): Promise<void> {
  await using registry = await open(folder);
  registry.transaction(() => {
    for (let index = 0; index < plugins; index++) {
      const { id, name } = registry.register(createVersion(index));
      registry.activate(name, id);
      registry.setState(id, index % 10 === 0 ? 'disable' : 'enable');
    }
  });
}

function createVersion(index: number): NewVersion {
  const name = `plugin-${index}`;
  const version = '1.0.0';
  const manifest = PluginManifestSchema.parse({
    name,
    version,
    author: { name: `Author ${index % 100}`, email: 'ada@example.org' },
    description: `Does what number ${index} of many does, and says in a sentence what that is`,
    plugin_type: 'tool',
    entry_point: 'index.ts',
    tags: ['utility', `group-${index % 50}`],
    input_schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  });
  const digest = `sha256:${String(index).padStart(64, '0')}` as const;
  return {
    name,
    version,
    digest,
    folder: `plugins/${name}`,
    origin: { kind: 'folder', path: `/plugins/${name}` },
    content: digest,
    lock: null,
    manifest,
  };
}

function measureCalls(registry: PluginRegistry, plugins: number): Record<string, Spread> {
  const calls: Readonly<Record<string, (call: number) => unknown>> = {
    get: (call) => registry.get(`plugin-${call % plugins}`),
    list: () => registry.list(),
    listByState: () => registry.listByState('DISABLED'),
    findByTag: (call) => registry.findByTag(`group-${call % 50}`),
    findByKeyword: (call) => registry.findByKeyword(`number ${call % plugins} `),
    'setState, on the disk': (call) =>
      registry.setState(registry.get(`plugin-${call % plugins}`)!.versions[0]!.id, 'enable'),
    'list, after a change': (call) => registry.list()[call],
  };
  return Object.fromEntries(
    Object.entries(calls).map(([name, work]) => {
      const taken = Array.from({ length: CALLS }, (_, call) => {
        if (name === 'list, after a change') registry.activate(`plugin-${call % plugins}`, null);
        return time(() => work(call));
      });
      return [name, { medianMs: median(taken), p95Ms: percentile(taken, 95) }];
    }),
  );
}

function time(work: () => unknown): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

function toRows(sizes: readonly Size[]): string[][] {
  const names = Object.keys(sizes[0]?.callsMs ?? {});
  return [
    ['open', ...sizes.map(({ openMs }) => formatNumber(median(openMs)))],
    ['list, the first time', ...sizes.map(({ firstListMs }) => formatNumber(median(firstListMs)))],
    ...names.map((name) => [name, ...sizes.map(({ callsMs }) => formatNumber(callsMs[name]?.medianMs))]),
  ];
}
