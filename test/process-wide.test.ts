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

test('there is one lurkbox for a process, and its parts are those of it', async () => {
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

test('other options for one that is open are refused', async () => {
  await openLurkbox(OPTIONS);
  await expect(openLurkbox(OPTIONS)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

test('before it is opened, and after it is closed, there is none', async () => {
  const none = expect.objectContaining({ code: 'STATE_INVALID' });
  expect(() => getPluginManager()).toThrow(none);
  await openLurkbox(OPTIONS);
  await closeLurkbox();
  await closeLurkbox();
  expect(() => getPluginManager()).toThrow(none);
});

test('one that cannot be opened is in nobody’s way', async () => {
  await expect(openLurkbox({ ...OPTIONS, maxWarm: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await expect(openLurkbox(OPTIONS)).resolves.toBeDefined();
});
