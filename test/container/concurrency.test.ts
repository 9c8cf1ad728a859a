import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLurkbox } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import {
  assertNothingLeft,
  createPlugin,
  createWorkspace,
  findByLabel,
  type Program,
  removeImagesOf,
  type TestPlugin,
} from '../helpers/workspace.ts';

const sleep: Program<number> = async (ms) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
};

describe('executions side by side', () => {
  let probe: TestPlugin;
  beforeAll(async () => {
    probe = await createPlugin('concurrency-probe');
  });
  afterAll(() => probe[Symbol.asyncDispose]());

  test('run at the same time, each with its own result', async () => {
    const meet: Program<number> = async (index) => {
      const started = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      return { index, started, ended: Date.now() };
    };
    const results = await Promise.all(Array.from({ length: 10 }, (_, index) => probe.ask(meet, index)));
    const spans = results as { index: number; started: number; ended: number }[];
    expect(spans.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const lastStart = Math.max(...spans.map(({ started }) => started));
    const firstEnd = Math.min(...spans.map(({ ended }) => ended));
    expect(lastStart).toBeLessThan(firstEnd);
  });

  test('do not touch each other when some of them fail (P1, P7)', async () => {
    const programs: [program: Program, outcome: string][] = [
      [() => 'fine', 'OK'],
      [
        () => {
          throw new Error('no');
        },
        'PLUGIN_ERROR',
      ],
      [() => process.exit(5), 'PLUGIN_CRASHED'],
      [() => new Promise(() => {}), 'NO_RESULT'],
      [
        () => {
          const { writeSync } = process.getBuiltinModule('node:fs');
          // A record that never ends; lines would go on until the deadline.
          writeSync(1, '\u001e');
          for (;;) writeSync(1, 'x'.repeat(65_536));
        },
        'OUTPUT_LIMIT',
      ],
      [
        () => {
          const kept: unknown[] = [];
          for (;;) kept.push(Buffer.alloc(4e6, 1));
        },
        'OUT_OF_MEMORY',
      ],
      [
        () => {
          process.getBuiltinModule('node:fs').writeSync(1, '\u001egarbage\n');
          return new Promise(() => setTimeout(() => {}, 20_000));
        },
        'PROTOCOL_ERROR',
      ],
      [
        async () => {
          await new Promise((resolve) => setTimeout(resolve, 1500));
          return 'fine too';
        },
        'OK',
      ],
    ];
    const results = await Promise.all(programs.map(([program]) => probe.run(program)));
    expect(results.map(({ outcome }) => outcome)).toEqual(programs.map(([, outcome]) => outcome));
    expect(new Set(results.map(({ executionId }) => executionId)).size).toBe(programs.length);
  });

  test('have their own names and stores (P7)', async () => {
    const mark: Program<string> = async (name) => {
      const { readdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      (globalThis as Record<string, unknown>)['mark'] = name;
      writeFileSync(`/tmp/${name}`, '');
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [(globalThis as Record<string, unknown>)['mark'], readdirSync('/tmp'), process.env['HOSTNAME']];
    };
    const [one, two] = (await Promise.all([probe.ask(mark, 'one'), probe.ask(mark, 'two')])) as unknown[][];
    expect([one?.slice(0, 2), two?.slice(0, 2)]).toEqual([
      ['one', ['one']],
      ['two', ['two']],
    ]);
    expect(one?.[2]).not.toBe(two?.[2]);
  });
});

test('`executePlugins` returns a result for every plugin, by name', async () => {
  await using workspace = await createWorkspace();
  await workspace.addPlugin('concurrency-a', {
    code: 'export const execute = ({ inputData }) => inputData.n + 1;',
  });
  await workspace.addPlugin('concurrency-b', {
    code: 'export const execute = () => { throw new Error("b is broken"); };',
  });
  await workspace.addPlugin('concurrency-c', {
    code: 'export const execute = ({ inputData }) => inputData.n * 2;',
  });
  await workspace.addPlugin('concurrency-off', { manifest: { enabled: false } });
  await workspace.addPlugin('concurrency-bad', { manifest: { version: 'one' } });
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
  const { loaded, failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  expect(loaded.map(({ name }) => name)).toEqual([
    'concurrency-a',
    'concurrency-b',
    'concurrency-c',
    'concurrency-off',
  ]);
  expect(failed).toMatchObject([{ error: { code: 'MANIFEST_INVALID' } }]);

  const all = await lurkbox.plugins.executePlugins({ inputData: { n: 20 } });
  expect(all).toMatchObject({
    'concurrency-a': { outcome: 'OK', result: 21 },
    'concurrency-b': { outcome: 'PLUGIN_ERROR', error: { message: 'Error: b is broken' } },
    'concurrency-c': { outcome: 'OK', result: 40 },
  });
  expect(Object.keys(all)).toHaveLength(3);

  const chosen = await lurkbox.plugins.executePlugins(
    { inputData: { n: 1 } },
    {
      names: ['concurrency-c', 'concurrency-off', 'nowhere', 'concurrency-c'],
    },
  );
  expect(chosen).toMatchObject({
    'concurrency-c': { outcome: 'OK', result: 2 },
    'concurrency-off': { outcome: 'PLUGIN_DISABLED' },
    nowhere: { outcome: 'PLUGIN_NOT_FOUND' },
  });
  await lurkbox.close();
  for (const { executionId } of [...Object.values(all), ...Object.values(chosen)])
    await assertNothingLeft(executionId);
  for (const name of ['concurrency-a', 'concurrency-b', 'concurrency-c']) await removeImagesOf(lurkbox, name);
});

describe('the limit of containers', () => {
  test.each([
    ['of their number', { concurrency: 2 }],
    // 96 MB and one core each.
    ['of their memory', { maxMemoryMb: 200 }],
    ['of their CPU', { maxCpuCores: 2.5 }],
  ])('%s is never exceeded, and every call gets a turn', async (_, options) => {
    await using plugin = await createPlugin('concurrency-limit', {}, options);
    const watching = new AbortController();
    const most = watchContainers('concurrency-limit', watching.signal);
    const results = await Promise.all(Array.from({ length: 8 }, () => plugin.run(sleep, 100)));
    watching.abort();
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(8).fill('OK'));
    expect(await most).toBe(2);
    const waited = results.map(({ phases }) => phases.queueMs ?? 0);
    expect(waited.at(-1)).toBeGreaterThan(waited[0] ?? 0);
  });

  test('refuses a plugin with a larger grant than the total memory', async () => {
    await using plugin = await createPlugin('concurrency-large', {}, { maxMemoryMb: 64 });
    const { outcome, error, phases } = await plugin.run(sleep, 0);
    expect({ outcome, createMs: phases.createMs }).toEqual({ outcome: 'HOST_RESOURCES', createMs: null });
    expect(error?.message).toMatch(
      /^The plugin is granted 96 MB of memory, and all sandboxes together may have 64 MB of memory\./,
    );
  });

  test('refuses a call when the queue is full', async () => {
    await using plugin = await createPlugin('concurrency-busy', {}, { concurrency: 1, maxQueue: 2 });
    await plugin.ask(sleep, 0);
    const results = await Promise.all(Array.from({ length: 6 }, () => plugin.run(sleep, 100)));
    const outcomes = results.map(({ outcome }) => outcome).sort();
    expect(outcomes).toEqual(['BUSY', 'BUSY', 'BUSY', 'OK', 'OK', 'OK']);
    const busy = results.find(({ outcome }) => outcome === 'BUSY');
    expect(busy).toMatchObject({ success: false, phases: { createMs: null } });
    expect(busy?.error?.message).toMatch(/^2 executions are waiting\. .*Try again later\.$/);
  });

  test('lets a waiting call leave at once, without taking a slot', async () => {
    await using plugin = await createPlugin('concurrency-leave', {}, { concurrency: 1 });
    const controller = new AbortController();
    const first = plugin.run(sleep, 2500);
    await delay(200);
    const leaving = [1, 2, 3].map(() =>
      plugin.lurkbox.plugins.executePlugin('concurrency-leave', {}, { signal: controller.signal }),
    );
    const last = plugin.run(sleep, 1);
    await delay(50);
    controller.abort();
    const left = await Promise.race([Promise.all(leaving), first.then(() => 'the first one ended before')]);
    expect(left).toMatchObject([1, 2, 3].map(() => ({ outcome: 'CANCELLED', phases: { createMs: null } })));
    expect(await Promise.all([first, last])).toMatchObject([{ outcome: 'OK' }, { outcome: 'OK' }]);
  });

  test('is shared by all plugins, and by calls with their own deadline', async () => {
    await using plugin = await createPlugin('concurrency-shared', {}, { concurrency: 1 });
    const watching = new AbortController();
    const most = watchContainers('concurrency-shared', watching.signal);
    const results = await Promise.all([
      plugin.run(sleep, 100),
      plugin.run(sleep, 100, { timeoutMs: 5000 }),
      plugin.run(sleep, 100, { timeoutMs: 6000 }),
    ]);
    watching.abort();
    expect(results.map(({ outcome }) => outcome)).toEqual(['OK', 'OK', 'OK']);
    expect(await most).toBe(1);
  });
});

/** The most containers of a plugin that were seen at any moment. */
async function watchContainers(plugin: string, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    const { containers } = await findByLabel(`${LABELS.plugin}=${plugin}`);
    most = Math.max(most, containers.length);
    await delay(10);
  }
  return most;
}
