import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLurkbox, type HotReloadManager, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

const NAME = 'reloaded';
const DEADLINE = { timeout: 20_000 };

let workspace: Workspace;
let lurkbox: Lurkbox;
let hotReload: HotReloadManager;
let folder: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  folder = await workspace.addPlugin(NAME, { code: codeOf('first') });
  lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0 });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  hotReload = lurkbox.hotReload({ watchPaths: [join(workspace.root, 'plugins')], debounceMs: 100 });
  await hotReload.start();
});

afterEach(async () => {
  await hotReload.stop();
  await removeImagesOf(lurkbox, NAME);
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

function codeOf(answer: string): string {
  return `export const execute = async ({ inputData: { wait } }) => {
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    return ${JSON.stringify(answer)};
  };`;
}

async function save(code: string): Promise<void> {
  await writeFile(join(folder, 'index.mjs'), code);
}

async function ask(): Promise<unknown> {
  const { outcome, result } = await lurkbox.plugins.executePlugin(NAME);
  return outcome === 'OK' ? result : outcome;
}

function eventTypes(): string[] {
  return lurkbox.events.history({ plugin: NAME }).map(({ eventType }) => eventType);
}

test('a saved version is soon active, and running calls end on the version they began with', async () => {
  expect(await ask()).toBe('first');
  const running = lurkbox.plugins.executePlugin(NAME, { inputData: { wait: 3_000 } });
  await save(codeOf('second'));
  await expect.poll(ask, DEADLINE).toBe('second');
  expect(await running).toMatchObject({ result: 'first' });
  expect(eventTypes()).toContain('RELOAD');
});

test('a version that cannot be loaded is in state ERROR with the reason, and the earlier one stays active until it is fixed', async () => {
  await save('export const execute = () => {');
  const broken = () => lurkbox.registry.get(NAME)?.versions.find(({ state }) => state === 'ERROR');
  await expect.poll(broken, DEADLINE).toMatchObject({ reason: expect.stringContaining('SyntaxError') });
  expect(await ask()).toBe('first');
  await save(codeOf('mended'));
  await expect.poll(ask, DEADLINE).toBe('mended');
});

test('a broken manifest is reported and leaves the earlier version active', async () => {
  await writeFile(join(folder, 'plugin.json'), '{ "name": ');
  await expect.poll(eventTypes, DEADLINE).toContain('ERROR');
  expect(await ask()).toBe('first');
});

test('a disabled plugin stays disabled when it is reloaded', async () => {
  lurkbox.plugins.disablePlugin(NAME);
  await save(codeOf('second'));
  await expect.poll(eventTypes, DEADLINE).toContain('RELOAD');
  expect(await ask()).toBe('PLUGIN_DISABLED');
  lurkbox.plugins.enablePlugin(NAME);
  expect(await ask()).toBe('second');
});

test('a saved version with extra permissions is not active before the operator agrees', async () => {
  await workspace.addPlugin(NAME, { code: codeOf('more'), manifest: { permissions: { filesystem: true } } });
  await expect.poll(eventTypes, DEADLINE).toContain('ERROR');
  expect(await ask()).toBe('first');
  lurkbox.plugins.consent(NAME);
  expect(await ask()).toBe('more');
});

test('deleting the folder of a plugin stops new calls but not the running one, until it is back', async () => {
  const running = lurkbox.plugins.executePlugin(NAME, { inputData: { wait: 2_000 } });
  await rm(folder, { recursive: true });
  const active = () => lurkbox.registry.get(NAME)?.active;
  await expect.poll(active, DEADLINE).toMatchObject({ state: 'ERROR', reason: 'its folder is gone' });
  expect(await running).toMatchObject({ result: 'first' });
  expect(await ask()).toBe('PLUGIN_DISABLED');
  await workspace.addPlugin(NAME, { code: codeOf('first') });
  await expect.poll(ask, DEADLINE).toBe('first');
});

test('a folder that was gone for a while brings back no consent and no active version that it did not have', async () => {
  lurkbox.plugins.disablePlugin(NAME);
  await rm(folder, { recursive: true });
  await expect.poll(() => hotReload.isRunning).toBe(true);
  await workspace.addPlugin(NAME, { code: codeOf('more'), manifest: { permissions: { filesystem: true } } });
  await expect.poll(eventTypes, DEADLINE).toContain('ERROR');
  expect(await ask()).toBe('PLUGIN_DISABLED');
  expect(lurkbox.plugins.missingConsent(NAME)).toHaveLength(1);
});

test('a plugin whose folder is moved works under its new path', async () => {
  const moved = `${folder}-moved`;
  await rename(folder, moved);
  await expect.poll(() => lurkbox.registry.get(NAME)?.active?.origin.path, DEADLINE).toBe(moved);
  await expect.poll(ask, DEADLINE).toBe('first');
});

test('a rollback holds when watching restarts, and ends with the next save', async () => {
  await save(codeOf('second'));
  await expect.poll(ask, DEADLINE).toBe('second');
  await hotReload.stop();
  lurkbox.plugins.rollbackPlugin(NAME);
  const reloaded: string[] = [];
  hotReload = lurkbox.hotReload({
    watchPaths: [join(workspace.root, 'plugins')],
    debounceMs: 100,
    onReload: (_, { digest }) => reloaded.push(digest),
  });
  await hotReload.start();
  await save(codeOf('third'));
  await expect.poll(ask, DEADLINE).toBe('third');
  expect(reloaded).toHaveLength(1);
});

test('a plugin that is watched by itself is no longer watched after it is unloaded', async () => {
  await hotReload.stop();
  hotReload = lurkbox.hotReload({ watchPaths: [folder], debounceMs: 100 });
  await hotReload.start();
  await lurkbox.plugins.unloadPlugin(NAME);
  await expect.poll(() => hotReload.paths, DEADLINE).toEqual([]);
});

test('a flood of saves ends with the last one active, and few contents stored', async () => {
  for (let saves = 0; saves < 1000; saves++) await save(codeOf(`save ${saves}`));
  await expect.poll(ask, DEADLINE).toBe('save 999');
  expect(lurkbox.registry.get(NAME)?.versions.length).toBeLessThanOrEqual(5);
});
