import { afterEach, expect, test } from 'vitest';
import {
  closeLurkbox,
  getHotReloadManager,
  getLurkbox,
  getPluginEvents,
  getPluginLoader,
  getPluginManager,
  getPluginRegistry,
  openLurkbox,
} from '../src/index.ts';
import { createWorkspace } from './helpers/workspace.ts';

const OPTIONS = { persist: false, env: { DOCKER_HOST: 'unix:///nonexistent/docker.sock' } };

afterEach(() => closeLurkbox());

test('a process has one shared lurkbox with its parts', async () => {
  await using workspace = await createWorkspace();
  const lurkbox = await openLurkbox({ ...OPTIONS, workspaceRoot: workspace.root });
  expect(await openLurkbox()).toBe(lurkbox);
  expect(getLurkbox()).toBe(lurkbox);
  expect(getPluginManager()).toBe(lurkbox.plugins);
  expect(getPluginLoader()).toBe(lurkbox.loader);
  expect(getPluginRegistry()).toBe(lurkbox.registry);
  expect(getPluginEvents()).toBe(lurkbox.events);
  expect(getHotReloadManager()).toBe(getHotReloadManager());
});

test('different options for an open shared lurkbox are refused', async () => {
  await openLurkbox(OPTIONS);
  await expect(openLurkbox(OPTIONS)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('there is no shared lurkbox before it is opened and after it is closed', async () => {
  const none = expect.objectContaining({ code: 'STATE_INVALID' });
  expect(() => getPluginManager()).toThrow(none);
  await openLurkbox(OPTIONS);
  await closeLurkbox();
  await closeLurkbox();
  expect(() => getPluginManager()).toThrow(none);
});

test('a shared lurkbox that cannot be opened does not prevent the next try', async () => {
  await expect(openLurkbox({ ...OPTIONS, maxWarm: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await expect(openLurkbox(OPTIONS)).resolves.toBeDefined();
});
