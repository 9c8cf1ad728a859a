import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLurkbox, type LurkboxOptions, type PluginExecutionResult } from '../../src/index.ts';
import { assertNothingLeft, createWorkspace, removeImagesOf } from '../helpers/workspace.ts';

const HANG = 'export const execute = () => new Promise((resolve) => setTimeout(resolve, 1e6));\n';
const hanging = (memoryMb = 64) => ({
  manifest: { resources: { memory_mb: memoryMb, timeout_seconds: 6 } },
  code: HANG,
});

interface Story {
  /** Calls of plugins that hang, by name. */
  readonly hung: Readonly<Record<string, number>>;
  readonly options: LurkboxOptions;
  readonly memoryMb?: number;
  readonly sessions?: boolean;
}

/** Has plugins hang, calls another one then, and ends the others; answers its result and theirs. */
async function tell({ hung, options, memoryMb, sessions = false }: Story) {
  await using workspace = await createWorkspace();
  for (const name of Object.keys(hung)) await workspace.addPlugin(name, hanging(memoryMb));
  await workspace.addPlugin('shares-honest', { code: 'export const execute = () => "done";' });
  const names = [...Object.keys(hung), 'shares-honest'];
  const policy = sessions ? { plugins: { 'shares-hanger': { isolation: 'session' } } } : {};
  await using lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    maxWarm: 0,
    policy,
    ...options,
  });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  for (const name of names) await lurkbox.plugins.prepare(name);
  const context = sessions ? { userId: 'u', sessionId: 's' } : {};
  const over = new AbortController();
  const calls = Object.entries(hung).flatMap(([name, count]) =>
    Array.from({ length: count }, () =>
      lurkbox.plugins.executePlugin(name, context, { signal: over.signal }),
    ),
  );
  // Until as many run as may.
  await delay(500);
  const honest = await lurkbox.plugins.executePlugin('shares-honest', {}, { waitForRemoval: true });
  over.abort();
  await lurkbox.close();
  const others = await Promise.all(calls);
  for (const { executionId } of [honest, ...others]) await assertNothingLeft(executionId);
  for (const name of names) await removeImagesOf(lurkbox, name);
  return { honest, others };
}

const waitedMs = ({ phases }: PluginExecutionResult): number => phases.queueMs ?? Number.POSITIVE_INFINITY;

test('a queue that a hanging plugin has filled takes a call of another one (P10)', {
  timeout: 60_000,
}, async () => {
  const { honest, others } = await tell({
    hung: { 'shares-hanger': 8 },
    options: { concurrency: 2, maxQueue: 5 },
  });
  expect(honest).toMatchObject({ outcome: 'OK', result: 'done' });
  // It had the next place, and did not wait for two rounds of those that hang.
  expect(waitedMs(honest)).toBeLessThan(9_000);
  const busy = others.flatMap(({ outcome, error }) => (outcome === 'BUSY' ? [error?.message ?? ''] : []));
  const gaveWay =
    /^It waited, and gave its room to a call of another plugin: 5 executions are waiting, 5 of this plugin, and the share of each of 2 plugins is 2\. .*Try again later\.$/;
  expect(busy.filter((message) => gaveWay.test(message))).toHaveLength(1);
  expect(busy.filter((message) => message.startsWith('5 executions are waiting. '))).toHaveLength(1);
});

test.each<[string, Story]>([
  ['places', { hung: { 'shares-hanger': 8 }, options: { concurrency: 4 } }],
  [
    'places where nobody may wait',
    { hung: { 'shares-hanger': 8 }, options: { concurrency: 4, maxQueue: 0 } },
  ],
  ['memory', { hung: { 'shares-hanger': 8 }, memoryMb: 128, options: { maxMemoryMb: 520 } }],
  ['cores', { hung: { 'shares-hanger': 8 }, options: { maxCpuCores: 5 } }],
  [
    'sessions in line',
    { hung: { 'shares-hanger': 9 }, sessions: true, options: { concurrency: 4, maxQueue: 8 } },
  ],
])(
  '%s that a hanging plugin would take are given to another one at once (P10)',
  {
    timeout: 60_000,
  },
  async (_, story) => {
    const { honest } = await tell(story);
    expect(honest).toMatchObject({ outcome: 'OK', result: 'done' });
    expect(waitedMs(honest)).toBeLessThan(2_000);
  },
);
