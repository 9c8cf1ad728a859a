import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** A name belongs to the origin that has it. No container is needed, and none can be had. */
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
const THIEF = {
  manifest: { name: 'reports', version: '9.0.0' },
  code: 'export const execute = () => "stolen";',
};
const TAKEN = { code: 'MANIFEST_INVALID', problems: [{ path: 'name' }] };

let workspace: Workspace;
let lurkbox: Lurkbox;
let honest: string;

beforeEach(async () => {
  workspace = await createWorkspace();
  lurkbox = await open();
});
afterEach(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

function open(): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, env: NO_ENGINE });
}

async function discover() {
  const { loaded, failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  return {
    loaded: loaded.map(({ name, version }) => `${name}@${version}`),
    failed: failed.map(({ folder, error }) => [folder, error.problems[0]?.message ?? error.message]),
  };
}

function reload(folder: string): Promise<unknown> {
  return lurkbox.reloader.reload(folder, { signal: new AbortController().signal, isFirst: false });
}

const versionsOf = () => lurkbox.registry.get('reports')?.versions.map(({ version }) => version);

describe('the name of a plugin in `plugins/`', () => {
  beforeEach(async () => {
    const manifest = { permissions: { filesystem: true } };
    honest = await workspace.addPlugin('reports', { manifest });
    await discover();
  });

  test.each(['a-first', 'zzz'])(
    'is not taken over by another folder there, here %s, in any order',
    async (name) => {
      const thief = await workspace.addPlugin(name, THIEF);
      const { loaded, failed } = await discover();
      expect(loaded).toEqual(['reports@1.0.0']);
      expect(failed).toEqual([[thief, expect.stringContaining(honest)]]);
      expect(failed[0]?.[1]).toContain(`lurkbox load --take-name "${thief}"`);
      expect(versionsOf()).toEqual(['1.0.0']);
    },
  );

  test('is not taken over when the folder that has it cannot be read', async () => {
    await workspace.addPlugin('reports', { manifest: { version: 'none' } });
    const thief = await workspace.addPlugin('a-first', THIEF);
    expect((await discover()).failed.map(([folder]) => folder)).toEqual([thief, honest]);
    expect(versionsOf()).toEqual(['1.0.0']);
  });

  test('is not taken over when the folder that has it is gone', async () => {
    await workspace.addPlugin('a-first', THIEF);
    await rm(honest, { recursive: true });
    expect((await discover()).loaded).toEqual([]);
    expect(lurkbox.registry.get('reports')?.active).toMatchObject({ version: '1.0.0', state: 'ERROR' });
  });

  test('is not taken over by a load from elsewhere, by hot reload or in another process', async () => {
    const elsewhere = await workspace.addPlugin('../elsewhere/reports', THIEF);
    await expect(lurkbox.plugins.loadPlugin(elsewhere)).rejects.toMatchObject(TAKEN);
    await expect(lurkbox.loader.load(elsewhere)).rejects.toMatchObject(TAKEN);
    await expect(reload(elsewhere)).rejects.toMatchObject(TAKEN);
    await expect(reload(await workspace.addPlugin('zzz', THIEF))).rejects.toMatchObject(TAKEN);
    await using other = await open();
    await expect(other.plugins.loadPlugin(elsewhere)).rejects.toMatchObject(TAKEN);
    expect(versionsOf()).toEqual(['1.0.0']);
  });

  test('moves with a folder that is renamed, but not with one that is also changed', async () => {
    const moved = `${honest}-moved`;
    await rename(honest, moved);
    expect((await discover()).loaded).toEqual(['reports@1.0.0']);
    expect(lurkbox.registry.get('reports')).toMatchObject({
      origin: { path: moved },
      active: { state: 'ENABLED', origin: { path: moved } },
    });
    await rename(moved, honest);
    await workspace.addPlugin('reports', {
      manifest: { permissions: { filesystem: true } },
      code: '// other',
    });
    expect((await discover()).failed).toHaveLength(1);
  });

  test('stays with its folder when a copy is put beside it', async () => {
    await cp(honest, `${honest}-copy`, { recursive: true });
    expect((await discover()).failed).toEqual([[`${honest}-copy`, expect.stringContaining(honest)]]);
    await expect(reload(`${honest}-copy`)).rejects.toMatchObject(TAKEN);
    expect(lurkbox.registry.get('reports')?.origin.path).toBe(honest);
  });

  test('is taken over on request, without the versions and consents under it', async () => {
    const more = { ...THIEF, manifest: { ...THIEF.manifest, permissions: { filesystem: true } } };
    const other = await workspace.addPlugin('../elsewhere/reports', more);
    lurkbox.registry.setUid('reports', 4000);
    await expect(lurkbox.plugins.loadPlugin(other, { takeName: true })).rejects.toMatchObject({
      code: 'CONSENT_NEEDED',
    });
    expect(lurkbox.registry.get('reports')).toMatchObject({
      origin: { path: other },
      active: null,
      activeBefore: [],
      consents: [],
      canary: null,
      uid: null,
    });
    expect(versionsOf()).toEqual(['9.0.0']);
    expect(() => lurkbox.plugins.rollbackPlugin('reports')).toThrow(/No other version/);
    const events = lurkbox.events
      .history({ plugin: 'reports' })
      .map((event) => [event.eventType, event.message]);
    expect(events).toContainEqual(['UNLOAD', 'its name was taken']);
    expect(events).toContainEqual(['INSTALL', expect.stringContaining(honest)]);
    // The folder that had it is a stranger now.
    expect((await discover()).failed).toEqual([[honest, expect.stringContaining(other)]]);
  });

  test('is free after the plugin is forgotten', async () => {
    const other = await workspace.addPlugin('../elsewhere/reports', THIEF);
    await lurkbox.plugins.unloadPlugin('reports');
    expect((await lurkbox.plugins.loadPlugin(other)).version).toBe('9.0.0');
    expect((await discover()).failed).toEqual([[honest, expect.stringContaining(other)]]);
  });
});

test('two folders with the same new name are both refused, until one is named', async () => {
  const one = await workspace.addPlugin('one', { manifest: { name: 'reports' } });
  const two = await workspace.addPlugin('two', { manifest: { name: 'reports' } });
  const failed = [
    [one, expect.stringContaining(two)],
    [two, expect.stringContaining(one)],
  ];
  expect(await discover()).toEqual({ loaded: [], failed });
  await expect(reload(one)).rejects.toMatchObject(TAKEN);
  await expect(reload(two)).rejects.toMatchObject(TAKEN);
  expect(lurkbox.registry.get('reports')).toBeNull();
  await lurkbox.plugins.loadPlugin(two);
  expect(await discover()).toEqual({
    loaded: ['reports@1.0.0'],
    failed: [[one, expect.stringContaining(two)]],
  });
});

test('releases that are loaded by path from sibling folders belong to one plugin, but a folder that is only reloaded does not', async () => {
  const release = (folder: string, version: string) =>
    workspace.addPlugin(`../releases/${folder}`, { manifest: { name: 'reports', version } });
  await lurkbox.plugins.loadPlugin(await release('reports-1.0', '1.0.0'));
  const second = await release('reports-1.1', '1.1.0');
  await expect(reload(second)).rejects.toMatchObject(TAKEN);
  await lurkbox.plugins.loadPlugin(second);
  expect(versionsOf()).toEqual(['1.1.0', '1.0.0']);
  await expect(lurkbox.plugins.loadPlugin(await release('deeper/reports', '1.2.0'))).rejects.toMatchObject(
    TAKEN,
  );
  const inside = await workspace.addPlugin('reports');
  expect((await discover()).failed).toEqual([[inside, expect.stringContaining('reports-1.0')]]);
});

test('a sibling of a release does not join a plugin with grants in the policy, unless its folder has the same name', async () => {
  const release = (folder: string, version: string) =>
    workspace.addPlugin(`../ruled/${folder}`, { manifest: { name: 'reports', version } });
  await using ruled = await createLurkbox({
    workspaceRoot: workspace.root,
    maxWarm: 0,
    env: NO_ENGINE,
    policy: { plugins: { reports: { allow: { exec: true } } } },
  });
  await ruled.plugins.loadPlugin(await release('reports-1.0', '1.0.0'));
  await ruled.plugins.loadPlugin(await release('reports-v1.1.0-rc.1', '1.1.0'));
  for (const folder of ['other-1.2', '9-reports', 'reports-fork'])
    await expect(ruled.plugins.loadPlugin(await release(folder, '1.2.0'))).rejects.toMatchObject(TAKEN);
});

test('when two processes install a new name from two folders, one gets it and the other is refused', async () => {
  await using other = await open();
  const one = await workspace.addPlugin('../a/reports', { manifest: { name: 'reports' } });
  const two = await workspace.addPlugin('../b/reports', THIEF);
  const settled = await Promise.allSettled([lurkbox.plugins.loadPlugin(one), other.plugins.loadPlugin(two)]);
  expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(versionsOf()).toHaveLength(1);
});

test('an import does not take over a known name, and records the owner of a new one', async () => {
  honest = await workspace.addPlugin('reports');
  await discover();
  const exported = lurkbox.registry.toJSON();
  const foreign = structuredClone(exported);
  for (const plugin of foreign.plugins)
    Object.assign(plugin, { origin: { kind: 'folder', path: '/stranger' } });
  expect(lurkbox.registry.importJSON(foreign)).toEqual({ added: [], skipped: ['reports'] });
  expect(lurkbox.registry.get('reports')?.origin.path).toBe(honest);
  await lurkbox.plugins.unloadPlugin('reports');
  lurkbox.registry.importJSON(foreign);
  // The same content says where it went; another one does not.
  await workspace.addPlugin('reports', { code: '// other' });
  expect((await discover()).failed).toEqual([[honest, expect.stringContaining('/stranger')]]);
});

test('a workspace that was moved works as before', async () => {
  await workspace.addPlugin('reports');
  await discover();
  await lurkbox.close();
  const moved = `${workspace.root}-moved`;
  await rename(workspace.root, moved);
  try {
    lurkbox = await createLurkbox({ workspaceRoot: moved, maxWarm: 0, env: NO_ENGINE });
    const { loaded, failed } = await lurkbox.plugins.discoverAndLoadAll(moved);
    expect({ loaded: loaded.length, failed }).toEqual({ loaded: 1, failed: [] });
    expect(lurkbox.registry.get('reports')?.origin.path).toBe(join(moved, 'plugins/reports'));
  } finally {
    await lurkbox.close();
    await rename(moved, workspace.root);
  }
});

describe('a folder that is run without being loaded', () => {
  const trying = (policy: object) =>
    createLurkbox({ workspaceRoot: workspace.root, persist: false, maxWarm: 0, env: NO_ENGINE, policy });
  const OWN_RULES = { plugins: { reports: { allow: { exec: true } } } };

  test('gets no grant of the policy for a name of the workspace, loaded or not', async () => {
    honest = await workspace.addPlugin('reports');
    const stranger = await workspace.addPlugin('../elsewhere/reports', THIEF);
    await using before = await trying(OWN_RULES);
    await expect(before.plugins.loadPlugin(stranger)).rejects.toMatchObject(TAKEN);
    await discover();
    await using after = await trying(OWN_RULES);
    await expect(after.plugins.loadPlugin(stranger)).rejects.toMatchObject(TAKEN);
    await rm(honest, { recursive: true });
    await using orphaned = await trying(OWN_RULES);
    await expect(orphaned.plugins.loadPlugin(stranger)).rejects.toMatchObject(TAKEN);
  });

  test('may use a name without grants, or its own name', async () => {
    honest = await workspace.addPlugin('reports');
    await discover();
    await using owner = await trying(OWN_RULES);
    expect((await owner.plugins.loadPlugin(honest)).name).toBe('reports');
    const stranger = await workspace.addPlugin('../elsewhere/reports', THIEF);
    await using other = await trying({});
    expect((await other.plugins.loadPlugin(stranger)).version).toBe('9.0.0');
    expect(versionsOf()).toEqual(['1.0.0']);
  });
});
