import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox, type PluginEvent } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

let workspace: Workspace;
let lurkbox: Lurkbox;
let events: PluginEvent[];

async function open(policy: object): Promise<void> {
  const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
  lurkbox = await createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env, policy });
  events = [];
  lurkbox.events.addEventHandler((event) => void events.push(event), { types: ['UNLOAD'] });
}

beforeEach(async () => {
  workspace = await createWorkspace();
});
afterEach(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

const write = (version: string, manifest: object = {}) =>
  workspace.addPlugin('one', { manifest: { name: 'one', version, ...manifest } });
const versions = () => (lurkbox.registry.get('one')?.versions ?? []).map(({ version }) => version).sort();

/** What a watcher does at a save; here no engine is there to build an image. */
async function save(version: string): Promise<void> {
  await lurkbox.reloader
    .reload(await write(version), { signal: new AbortController().signal, isFirst: false })
    .catch(() => {});
}

describe('versions of a plugin do not pile up (P10)', () => {
  test('that are activated one after the other: the oldest are removed with their files, and an event says so (P10)', async () => {
    await open({ max_versions: 4, keep_versions: 2 });
    const folders: string[] = [];
    for (let minor = 0; minor < 9; minor++) {
      await lurkbox.plugins.loadPlugin(await write(`1.${minor}.0`));
      folders.push(lurkbox.plugins.newestVersion('one').folder);
    }
    expect(versions()).toEqual(['1.5.0', '1.6.0', '1.7.0', '1.8.0']);
    await expect
      .poll(() => folders.filter((folder) => existsSync(join(workspace.root, '.lurkbox', folder))).length)
      .toBe(4);
    expect(events.map(({ version, message }) => `${version}: ${message}`)).toContain(
      '1.0.0: there are more than are kept',
    );
  });

  test('that hot reload could not activate (P10)', async () => {
    await open({ max_versions: 4 });
    await lurkbox.plugins.loadPlugin(await write('1.0.0'));
    for (let minor = 1; minor < 9; minor++) await save(`1.${minor}.0`);
    expect(versions()).toEqual(['1.0.0', '1.6.0', '1.7.0', '1.8.0']);
  });

  test('that failed before their first call, except the last three (P10)', async () => {
    await open({});
    await lurkbox.plugins.loadPlugin(await write('1.0.0'));
    for (let minor = 1; minor < 8; minor++) {
      await save(`1.${minor}.0`);
      lurkbox.registry.setState(lurkbox.plugins.newestVersion('one').id, 'fail', 'it is broken');
    }
    await save('2.0.0');
    expect(versions()).toEqual(['1.0.0', '1.5.0', '1.6.0', '1.7.0', '2.0.0']);
  });
});

describe('a version is not removed', () => {
  test('while it is active or a rollback can reach it, however many there are', async () => {
    await open({ max_versions: 1, keep_versions: 2 });
    for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
      await lurkbox.plugins.loadPlugin(await write(version));
    expect(versions()).toEqual(['1.1.0', '1.2.0', '1.3.0']);
    expect(lurkbox.plugins.rollbackPlugin('one').version).toBe('1.2.0');
  });

  test('while another plugin requires it', async () => {
    await open({ max_versions: 1, keep_versions: 0 });
    await lurkbox.plugins.loadPlugin(await write('1.0.0'));
    const other = { manifest: { name: 'other', version: '1.0.0', requires: ['one@1.0.0'] } };
    await lurkbox.plugins.loadPlugin(await workspace.addPlugin('other', other));
    await lurkbox.plugins.loadPlugin(await write('1.1.0'));
    await lurkbox.plugins.loadPlugin(await write('1.2.0'));
    expect(versions()).toEqual(['1.0.0', '1.2.0']);
  });
});
