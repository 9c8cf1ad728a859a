import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { discoverPlugins } from '../../src/manifest/discover.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lurkbox-discover-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

test('discovery finds the folders with a plugin.json, sorted by name', async () => {
  for (const name of ['weather', 'echo', 'alarm']) await put(`plugins/${name}/plugin.json`);
  expect(await discoverPlugins(root)).toEqual(
    ['alarm', 'echo', 'weather'].map((name) => join(root, 'plugins', name)),
  );
});

test('discovery gives absolute paths for a relative root', async () => {
  await put('plugins/echo/plugin.json');
  expect(await discoverPlugins(relative(process.cwd(), root))).toEqual([join(root, 'plugins/echo')]);
});

test('discovery finds nothing without a plugins folder', async () => {
  expect(await discoverPlugins(root)).toEqual([]);
});

test('discovery skips hidden folders, files, folders without a manifest, and deeper ones', async () => {
  await put('plugins/.hidden/plugin.json');
  await put('plugins/readme.md');
  await put('plugins/empty/index.js');
  await put('plugins/group/inner/plugin.json');
  await put('plugin.json');
  expect(await discoverPlugins(root)).toEqual([]);
});

test('discovery finds a plugin that is linked into the workspace', async () => {
  await put('elsewhere/echo/plugin.json');
  await mkdir(join(root, 'plugins'));
  await symlink('../elsewhere/echo', join(root, 'plugins/echo'));
  expect(await discoverPlugins(root)).toEqual([join(root, 'plugins/echo')]);
});

test('discovery finds a plugin with a broken manifest, which loading reports', async () => {
  await mkdir(join(root, 'plugins/odd'), { recursive: true });
  await symlink('nowhere', join(root, 'plugins/odd/plugin.json'));
  expect(await discoverPlugins(root)).toEqual([join(root, 'plugins/odd')]);
});

test('discovery fails when plugins is a file', async () => {
  await put('plugins');
  await expect(discoverPlugins(root)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

async function put(path: string): Promise<void> {
  const absolute = join(root, path);
  await mkdir(dirname(absolute), { recursive: true });
  await writeFile(absolute, '{}');
}
