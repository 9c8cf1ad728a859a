import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createLurkbox,
  type Logger,
  type Lurkbox,
  type LurkboxOptions,
  restoreRegistry,
} from '../../src/index.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** What is decided before any container is needed; none can be had. */
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
/** What comes of a call that was let through. */
const LET_THROUGH = 'ENGINE_UNAVAILABLE';
const SCRATCH = { permissions: { filesystem: true } };

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeEach(async () => {
  workspace = await createWorkspace();
  lurkbox = await open();
});
afterEach(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

function open(options: LurkboxOptions = {}): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE, ...options });
}

async function load(name: string, version: string, manifest: object = {}): Promise<void> {
  const folder = await workspace.addPlugin(`../elsewhere/${name}-${version}`, {
    manifest: { name, version, ...manifest },
  });
  await lurkbox.plugins.loadPlugin(folder).catch((error: { code: string }) => {
    if (error.code !== 'CONSENT_NEEDED') throw error;
  });
}

async function outcomeOf(reference: string): Promise<string> {
  return (await lurkbox.plugins.executePlugin(reference)).outcome;
}

function stateOf(name: string): string | undefined {
  return lurkbox.registry.get(name)?.active?.state;
}

test('an unloaded plugin is gone, and its name is free', async () => {
  const { plugins } = lurkbox;
  const first = await workspace.addPlugin('one');
  const other = { manifest: { name: 'one' }, code: 'export const execute = () => 2;' };
  const second = await workspace.addPlugin('other', other);
  await plugins.loadPlugin(first);
  await expect(plugins.loadPlugin(second)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  expect(await plugins.unloadPlugin('one')).toBe(true);
  expect(plugins.list()).toEqual([]);
  expect(await outcomeOf('one')).toBe('PLUGIN_NOT_FOUND');
  expect(await plugins.unloadPlugin('one')).toBe(false);
  expect((await plugins.loadPlugin(second)).plugin.folder).toBe(second);
  expect(await plugins.unloadPlugin('one@9')).toBe(false);
  expect(plugins.get('one@9')).toBeNull();
});

describe('consent', () => {
  test('is required before a version is called, shown as active or prewarmed', async () => {
    await load('one', '1.0.0');
    await load('one', '1.2.0', SCRATCH);
    expect(lurkbox.plugins.get('one@^1')?.version).toBe('1.0.0');
    expect(await lurkbox.plugins.prewarm('one@1.2.0', 1)).toBe(0);
    expect(await outcomeOf('one@1.2.0')).toBe('PERMISSION_DENIED');
    expect(await outcomeOf('one@^1')).toBe(LET_THROUGH);
  });

  test('adds to the earlier ones, so that a rollback needs no new one', async () => {
    await load('one', '1.0.0', SCRATCH);
    await load('one', '2.0.0', { permissions: { channels: ['slack'] } });
    lurkbox.plugins.rollbackPlugin('one');
    expect(lurkbox.plugins.get('one')?.version).toBe('1.0.0');
    await load('one', '3.0.0', { permissions: { filesystem: { mounts: {} }, secrets: [] } });
    expect(lurkbox.plugins.get('one')?.version).toBe('3.0.0');
  });

  test('is given to the content that the operator looked at', async () => {
    await load('one', '1.0.0');
    await load('one', '1.1.0', SCRATCH);
    const { digest } = lurkbox.plugins.newestVersion('one');
    expect(() => lurkbox.plugins.consent('one', { digest: `sha256:${'0'.repeat(64)}` })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID' }),
    );
    expect(lurkbox.plugins.consent('one', { digest })).toHaveLength(1);
    expect(lurkbox.plugins.get('one')?.version).toBe('1.1.0');
  });

  test('that changes nothing activates nothing', async () => {
    await load('one', '1.0.0');
    await load('one', '1.1.0');
    lurkbox.plugins.rollbackPlugin('one');
    expect(lurkbox.plugins.consent('one')).toEqual([]);
    expect(lurkbox.plugins.get('one')?.version).toBe('1.0.0');
  });
});

describe('a plugin that an operator disabled', () => {
  test('stays disabled, whatever its author writes into the manifest', async () => {
    await load('one', '1.0.0');
    lurkbox.plugins.disablePlugin('one');
    await load('one', '1.0.1', { enabled: false });
    await load('one', '1.0.2', { enabled: true });
    expect(lurkbox.plugins.get('one')?.version).toBe('1.0.2');
    expect(stateOf('one')).toBe('DISABLED');
    expect(await outcomeOf('one')).toBe('PLUGIN_DISABLED');
  });

  test('can also be disabled by its author at any time', async () => {
    await load('one', '1.0.0');
    await load('one', '1.0.1', { enabled: false });
    expect(stateOf('one')).toBe('DISABLED');
    lurkbox.plugins.enablePlugin('one');
    await load('one', '1.0.2', { enabled: false });
    expect(stateOf('one')).toBe('ENABLED');
  });
});

test('an active version in state ERROR takes no calls', async () => {
  await load('one', '1.0.0');
  const { id } = lurkbox.registry.get('one')?.active ?? { id: 0 };
  lurkbox.registry.setState(id, 'fail', 'a test says so');
  const { outcome, error } = await lurkbox.plugins.executePlugin('one');
  expect({ outcome, message: error?.message }).toEqual({
    outcome: 'PLUGIN_DISABLED',
    message: expect.stringContaining('a test says so'),
  });
});

test('a canary of the active version is refused', async () => {
  await load('one', '1.0.0');
  await expect(lurkbox.plugins.activatePlugin('one@1.0.0', { canary: { share: 0.5 } })).rejects.toMatchObject(
    {
      code: 'STATE_INVALID',
    },
  );
});

test('plugins that require an unloaded one are unloaded with it at any distance, but only on request', async () => {
  await load('base', '1.0.0');
  await load('middle', '1.0.0', { requires: ['base@*'] });
  await load('top', '1.0.0', { requires: ['middle@*', 'base@*'] });
  await load('other', '1.0.0');
  await expect(lurkbox.plugins.unloadPlugin('base')).rejects.toMatchObject({ code: 'REQUIREMENT_UNMET' });
  expect(await lurkbox.plugins.unloadPlugin('base', { cascade: true })).toBe(true);
  expect(lurkbox.registry.list().map(({ name }) => name)).toEqual(['other']);
});

test('plugins that came to require each other can be unloaded', async () => {
  await load('base', '1.0.0');
  await load('top', '1.0.0');
  await load('base', '2.0.0', { requires: ['top@*'] });
  lurkbox.plugins.rollbackPlugin('base');
  await load('top', '2.0.0', { requires: ['base@*'] });
  await lurkbox.plugins.activatePlugin('base@2.0.0');
  expect(await lurkbox.plugins.unloadPlugin('base', { cascade: true })).toBe(true);
  expect(lurkbox.registry.list()).toEqual([]);
});

test('loading a plugin again restores files that were changed or lost', async () => {
  await load('one', '1.0.0');
  const { folder } = lurkbox.registry.get('one')?.active ?? { folder: '' };
  const installed = join(workspace.root, '.lurkbox', folder);
  await rm(installed, { recursive: true });
  await load('one', '1.0.0');
  expect(await readdir(installed)).toContain('plugin.json');
  await writeFile(join(installed, 'index.mjs'), 'export const execute = () => 6;');
  await load('one', '1.0.0');
  expect(await readFile(join(installed, 'index.mjs'), 'utf8')).toContain('null');
});

test('activating the active version ends a canary', async () => {
  await load('one', '1.0.0');
  await load('one', '1.1.0');
  lurkbox.plugins.rollbackPlugin('one');
  const { id } = lurkbox.plugins.newestVersion('one');
  lurkbox.registry.setCanary('one', { versionId: id, share: 0.5, calls: 3 });
  await lurkbox.plugins.activatePlugin('one@1.0.0');
  expect(lurkbox.registry.get('one')?.canary).toBeNull();
});

test('an edit under the same version does not break what requires it', async () => {
  const policy = { keep_versions: 0 };
  await lurkbox.close();
  lurkbox = await open({ policy });
  await load('base', '1.0.0');
  await load('top', '1.0.0', { requires: ['base@^1'] });
  for (const description of ['second', 'third', 'fourth']) await load('base', '1.0.0', { description });
  expect(lurkbox.registry.get('base')?.versions).toHaveLength(1);
});

test('a call resolves to a result even when the policy refuses it or the lurkbox is closed', async () => {
  await load('one', '1.0.0', SCRATCH);
  await using strict = await open({ policy: { allow: { scratch: false } } });
  const results = await strict.plugins.executePlugins({}, { names: ['one', 'two'], timeoutMs: 5 });
  expect(results).toMatchObject({
    one: { outcome: 'PERMISSION_DENIED' },
    two: { outcome: 'PLUGIN_NOT_FOUND' },
  });
  await lurkbox.close();
  expect(await outcomeOf('one')).toBe('CANCELLED');
});

test('files whose records were lost are set aside and not removed', async () => {
  await load('one', '1.0.0');
  await lurkbox.close();
  const state = join(workspace.root, '.lurkbox');
  await rm(join(state, 'registry.backup.db'));
  await writeFile(join(state, 'registry.db'), 'no database');
  await expect(open()).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
  restoreRegistry({ stateFolder: state, workspaceRoot: workspace.root, backup: null });
  lurkbox = await open();
  expect(await readdir(join(state, 'plugins-without-record', 'one', '1.0.0'))).toHaveLength(1);
});

describe('an old name of 1.0', () => {
  const warned: unknown[] = [];
  const logger: Logger = { ...SILENT_LOGGER, warn: (facts) => warned.push(facts) };
  beforeEach(() => warned.splice(0));

  test('of a method still works, and warns once', async () => {
    await using former = await open({ logger });
    await load('one', '1.0.0');
    expect(former.plugins.newest('one').version).toBe('1.0.0');
    expect(former.plugins.newest('one')).toEqual(former.plugins.newestVersion('one'));
    expect(former.plugins.require('one').version).toBe('1.0.0');
    expect(await former.plugins.hint('one', 0)).toBe(0);
    expect(await former.plugins.usePlugin('one@1.0.0')).toBeNull();
    expect(warned).toEqual([
      { method: 'newest', now: 'newestVersion' },
      { method: 'require', now: 'getOrThrow' },
      { method: 'hint', now: 'prewarm' },
      { method: 'usePlugin', now: 'activatePlugin' },
    ]);
  });

  test('of the argument order of `executePlugins` still works, with one warning', async () => {
    await using former = await open({ logger });
    const { nowhere } = await former.plugins.executePlugins({}, ['nowhere'], { timeoutMs: 5 });
    expect(nowhere?.outcome).toBe('PLUGIN_NOT_FOUND');
    expect(await former.plugins.executePlugins({}, undefined, {})).toEqual({});
    expect(warned).toEqual([expect.objectContaining({ method: 'executePlugins(context, names, options)' })]);
  });

  test('`trial` is read as `canary`, and both at once are refused', async () => {
    await using former = await open({ logger });
    await load('one', '1.0.0');
    const trial = { share: 2 };
    await expect(former.plugins.activatePlugin('one@1.0.0', { trial })).rejects.toThrow(/share above 0/);
    expect(warned).toEqual([{ option: 'trial', now: 'canary' }]);
    await expect(
      former.plugins.activatePlugin('one@1.0.0', { trial, canary: { share: 0.5 } }),
    ).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      problems: [expect.objectContaining({ path: 'trial', message: expect.stringContaining('`canary`') })],
    });
  });
});

test('`discoverAndLoadAll` looks in the workspace by default', async () => {
  await workspace.addPlugin('one');
  expect(await lurkbox.plugins.discoverAndLoadAll()).toMatchObject({ loaded: [{ name: 'one' }] });
});

describe('`discoverAndLoad` reads', () => {
  const namesOf = ({ loaded }: { loaded: readonly { name: string }[] }) => loaded.map(({ name }) => name);
  const write = (name: string, version: string, manifest: object = {}) =>
    workspace.addPlugin(name, { manifest: { version, ...manifest } });
  const activeOf = (name: string) => lurkbox.registry.get(name)?.active?.version;

  beforeEach(async () => {
    await write('one', '1.0.0');
    await write('two', '1.0.0', { requires: ['one@^1.0.0'] });
    await write('three', '1.0.0');
    await lurkbox.plugins.discoverAndLoadAll();
    for (const name of ['one', 'three']) await write(name, '1.1.0');
  });

  test('the named plugin, and no other', async () => {
    expect(namesOf(await lurkbox.plugins.discoverAndLoad(['one']))).toEqual(['one']);
    expect([activeOf('one'), activeOf('three')]).toEqual(['1.1.0', '1.0.0']);
  });

  test('what the named plugin requires, too', async () => {
    expect(namesOf(await lurkbox.plugins.discoverAndLoad(['two']))).toEqual(['one', 'two']);
    expect([activeOf('one'), activeOf('three')]).toEqual(['1.1.0', '1.0.0']);
  });

  test('all plugins when a named one was never loaded or is unknown', async () => {
    await write('four', '1.0.0');
    expect(namesOf(await lurkbox.plugins.discoverAndLoad(['four']))).toEqual(['four', 'one', 'three', 'two']);
    await write('one', '1.2.0');
    expect(namesOf(await lurkbox.plugins.discoverAndLoad(['five']))).toContain('one');
    expect(activeOf('one')).toBe('1.2.0');
  });

  test('all plugins when a named one requires something new', async () => {
    await write('five', '1.0.0');
    await write('one', '1.1.0', { requires: ['five@1'] });
    expect(namesOf(await lurkbox.plugins.discoverAndLoad(['one']))).toContain('five');
    expect(activeOf('one')).toBe('1.1.0');
  });

  test.each([['one'], ['three']])(
    'all plugins when the folder of one was renamed, which keeps its name (%s is named)',
    async (name) => {
      await lurkbox.plugins.discoverAndLoadAll();
      const path = join(workspace.root, 'plugins/renamed');
      await rename(join(workspace.root, 'plugins/three'), path);
      await lurkbox.plugins.discoverAndLoad([name]);
      expect(lurkbox.registry.get('three')).toMatchObject({
        origin: { path },
        active: { version: '1.1.0', state: 'ENABLED' },
      });
    },
  );

  test('a folder with the name of another plugin without letting it take over the name', async () => {
    await workspace.addPlugin('thief', { manifest: { name: 'one', version: '9.0.0' } });
    await lurkbox.plugins.discoverAndLoad(['one']);
    expect(activeOf('one')).toBe('1.1.0');
    const { failed } = await lurkbox.plugins.discoverAndLoadAll();
    expect(failed).toMatchObject([{ error: { code: 'MANIFEST_INVALID' } }]);
    expect(activeOf('one')).toBe('1.1.0');
  });

  test('and reports a plugin whose folder is broken, and removes one whose folder is gone', async () => {
    await write('one', 'new');
    expect((await lurkbox.plugins.discoverAndLoad(['one'])).failed).toMatchObject([
      { folder: join(workspace.root, 'plugins/one'), error: { code: 'MANIFEST_INVALID' } },
    ]);
    await rm(join(workspace.root, 'plugins/three'), { recursive: true });
    await lurkbox.plugins.discoverAndLoad(['three']);
    expect(lurkbox.registry.get('three')?.active?.state ?? 'ERROR').toBe('ERROR');
  });
});
