import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type LurkboxOptions, type PluginExecutionResult } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import {
  createSharedFolder,
  createWorkspace,
  findByLabel,
  removeImagesOf,
  type SharedFolder,
  type Workspace,
} from '../helpers/workspace.ts';

const NAME = 'mount-reader';
const OURS = 'what the policy gives';
const SECRET = 'what only the host may read';

/** Says what is bound as soon as it runs, and leaves a trace there. */
const READER = `
  import { readFileSync, writeFileSync } from 'node:fs';
  const leave = () => { try { writeFileSync('/mnt/data/trace', ''); } catch {} };
  leave();
  export const execute = () => { leave(); return readFileSync('/mnt/data/file', 'utf8'); };
`;

let workspace: Workspace;
let shared: SharedFolder;
const path = (name: string): string => join(shared.path, name);

beforeAll(async () => {
  workspace = await createWorkspace();
  shared = await createSharedFolder();
  await workspace.addPlugin(NAME, {
    code: READER,
    manifest: { permissions: { filesystem: { mounts: { data: 'rw' } } } },
  });
});
beforeEach(() => {
  for (const name of ['data', 'secret', 'aside']) rmSync(path(name), { recursive: true, force: true });
  for (const [name, content] of [
    ['data', OURS],
    ['secret', SECRET],
  ] as const) {
    mkdirSync(path(name), { mode: 0o777 });
    writeFileSync(path(`${name}/file`), content);
  }
});
afterAll(async () => {
  await using lurkbox = await open();
  await removeImagesOf(lurkbox, NAME);
  await workspace[Symbol.asyncDispose]();
  await shared[Symbol.asyncDispose]();
});

async function open(options: LurkboxOptions = {}, isolation?: string) {
  const policy = {
    allow: { mounts: { data: { path: path('data'), mode: 'rw' } } },
    plugins: { [NAME]: { allow: { mounts: ['data'] }, ...(isolation === undefined ? {} : { isolation }) } },
  };
  const lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    persist: false,
    maxWarm: 0,
    policy,
    ...options,
  });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  return lurkbox;
}

/** Of those that race with a swap: at least so many, and at most, until both outcomes were met. */
const MIN_CALLS = 15;
const MAX_CALLS = 100;

/** What somebody does who may rename folders beside the one that the policy names, and how it is undone. */
const SWAPS: readonly (readonly [string, () => void])[] = [
  ['a link', () => symlinkSync(path('secret'), path('data'))],
  ['another folder', () => renameSync(path('secret'), path('data'))],
];

describe.each(SWAPS)('%s in the place of a mount', (_what, put) => {
  const swap = (): void => {
    renameSync(path('data'), path('aside'));
    put();
  };

  test('after the check and before the start is noticed before the plugin runs (P6, P10)', async () => {
    await using lurkbox = await open();
    using swapped = beforeStarts(swap);
    const result = await lurkbox.plugins.executePlugin(NAME, {}, { waitForRemoval: true });
    expect(swapped.count).toBe(1);
    expectRefused(result);
    expect(traces()).toEqual([]);
    expect(await containersOf()).toEqual([]);
  });

  test('is noticed in a prewarmed container, too (P6, P10)', async () => {
    await using lurkbox = await open({ maxWarm: 1 });
    await lurkbox.plugins.prepare(NAME);
    using swapped = beforeStarts(swap);
    expect(await lurkbox.plugins.prewarm(NAME, 1)).toBe(0);
    expect(swapped.count).toBe(1);
    await expect.poll(containersOf, { timeout: 20_000 }).toEqual([]);
    expect(traces()).toEqual([]);
  });

  test('does not reach a waiting or reused container, where the checked folder stays bound', async () => {
    await using lurkbox = await open({ maxWarm: 1 }, 'plugin');
    expect(await lurkbox.plugins.prewarm(NAME, 1)).toBe(1);
    swap();
    for (const sandbox of ['warm', 'reused']) {
      const { outcome, result, metadata } = await lurkbox.plugins.executePlugin(NAME);
      expect({ outcome, result, sandbox: metadata['sandbox'] }).toEqual({
        outcome: 'OK',
        result: OURS,
        sandbox,
      });
    }
  });
});

test('a mount that is swapped back and forth in use never shows another folder (P10)', async () => {
  await using lurkbox = await open();
  await lurkbox.plugins.prepare(NAME);
  const dance = swapForEver();
  const outcomes = new Set<string>();
  try {
    for (let call = 0; call < MAX_CALLS && !(call >= MIN_CALLS && outcomes.size > 1); call++) {
      const result = await lurkbox.plugins.executePlugin(NAME, {}, { waitForRemoval: true });
      expect(JSON.stringify(result)).not.toContain(SECRET);
      expect(['OK', 'PERMISSION_DENIED', 'INTERNAL', 'ENGINE_INSECURE', 'HOST_RESOURCES']).toContain(
        result.outcome,
      );
      if (result.outcome === 'OK') expect(result.result).toBe(OURS);
      outcomes.add(result.outcome);
    }
  } finally {
    await dance.stop();
  }
  expect(existsSync(path('secret/trace'))).toBe(false);
  expect([...outcomes]).toEqual(expect.arrayContaining(['OK', 'PERMISSION_DENIED']));
  expect(await containersOf()).toEqual([]);
});

function expectRefused({ outcome, error, result }: PluginExecutionResult): void {
  expect({ outcome, result }).toEqual({ outcome: 'PERMISSION_DENIED', result: null });
  expect(error?.message).toMatch(/`allow.mounts.data.path`.*another folder was bound/s);
}

function traces(): string[] {
  return ['data', 'secret', 'aside'].filter((name) => existsSync(path(`${name}/trace`)));
}

async function containersOf(): Promise<string[]> {
  return (await findByLabel(`${LABELS.plugin}=${NAME}`)).containers;
}

/** Does something once, when this process is about to ask the engine for a start, and can tell. */
function beforeStarts(work: () => void): Disposable & { readonly count: number } {
  let count = 0;
  const onRequest = (message: unknown): void => {
    const { path } = (message as { request: ClientRequest }).request;
    if (/\/containers\/\w+\/start/.test(path) && count++ === 0) work();
  };
  subscribe('http.client.request.start', onRequest);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => unsubscribe('http.client.request.start', onRequest),
  };
}

function swapForEver(): { stop(): Promise<void> } {
  let isOver = false;
  const run = (async () => {
    while (!isOver) {
      renameSync(path('data'), path('aside'));
      symlinkSync(path('secret'), path('data'));
      await delay(Math.random() * 20);
      if (lstatSync(path('data')).isSymbolicLink()) rmSync(path('data'));
      renameSync(path('aside'), path('data'));
      await delay(Math.random() * 300);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await run;
    },
  };
}
