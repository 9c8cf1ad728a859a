import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createLurkbox,
  type Lurkbox,
  type LurkboxOptions,
  type PluginEvent,
  verifyAuditLog,
} from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { createWorkspace, findByLabel, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

/** Answers its version, or does what it is told. */
function codeOf(version: string): string {
  return `export const execute = async ({ inputData: { wait, fail } }) => {
    if (fail) throw new Error('told to');
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    return ${JSON.stringify(version)};
  };`;
}

let workspace: Workspace;
let lurkbox: Lurkbox;
let names: Set<string>;

beforeEach(async () => {
  workspace = await createWorkspace();
  names = new Set();
  lurkbox = await open();
});

afterEach(async () => {
  await lurkbox.close();
  await using cleaner = await open({ persist: false });
  for (const name of names) await removeImagesOf(cleaner, name);
  await workspace[Symbol.asyncDispose]();
});

function open(options: LurkboxOptions = {}): Promise<Lurkbox> {
  return createLurkbox({ workspaceRoot: workspace.root, maxWarm: 0, ...options });
}

async function reopen(options: LurkboxOptions = {}): Promise<void> {
  await lurkbox.close();
  lurkbox = await open(options);
}

/** Writes a version into a folder beside `plugins/`, so that nothing loads it by itself. */
async function write(
  name: string,
  version: string,
  manifest: object = {},
  code = codeOf(version),
): Promise<string> {
  names.add(name);
  return workspace.addPlugin(`../elsewhere/${name}-${version}`, {
    code,
    manifest: { name, version, ...manifest },
  });
}

async function load(name: string, version: string, manifest: object = {}, code?: string): Promise<void> {
  await lurkbox.plugins.loadPlugin(await write(name, version, manifest, code));
}

async function ask(
  reference: string,
  inputData: Record<string, string | number | boolean> = {},
): Promise<unknown> {
  const { outcome, result } = await lurkbox.plugins.executePlugin(
    reference,
    { inputData },
    { waitForRemoval: true },
  );
  return outcome === 'OK' ? result : outcome;
}

async function imagesOf(name: string): Promise<(string | null)[]> {
  const images = await (await lurkbox.images()).list();
  return images
    .filter((image) => image.plugin === name)
    .map((image) => image.version)
    .sort();
}

function activeOf(name: string): string | undefined {
  return lurkbox.registry.get(name)?.active?.version;
}

describe('the loader', () => {
  test('builds no image before the first call, and one for calls that come at once', async () => {
    await load('lc-lazy', '1.0.0');
    expect(await imagesOf('lc-lazy')).toEqual([]);
    const results = await Promise.all(['lc-lazy', 'lc-lazy', 'lc-lazy@^1'].map((name) => ask(name)));
    expect(results).toEqual(['1.0.0', '1.0.0', '1.0.0']);
    expect(await imagesOf('lc-lazy')).toEqual(['1.0.0']);
  });

  test('prepares an image ahead on request', async () => {
    await load('lc-ahead', '1.0.0');
    expect(await lurkbox.plugins.prepare('lc-ahead')).toMatchObject({ built: true });
    expect(await lurkbox.plugins.prepare('lc-ahead')).toMatchObject({ built: false });
  });

  test('releases everything of a plugin that it unloads, and lets running calls end', async () => {
    await load('lc-gone', '1.0.0');
    expect(await ask('lc-gone')).toBe('1.0.0');
    const running = lurkbox.plugins.executePlugin('lc-gone', { inputData: { wait: 500 } });
    expect(await lurkbox.plugins.unloadPlugin('lc-gone')).toBe(true);
    expect(await running).toMatchObject({ outcome: 'OK', result: '1.0.0' });
    expect(lurkbox.registry.get('lc-gone')).toBeNull();
    expect(await imagesOf('lc-gone')).toEqual([]);
    expect(await ask('lc-gone')).toBe('PLUGIN_NOT_FOUND');
    await expect(rm(join(workspace.root, '.lurkbox/plugins/lc-gone'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  test('executes what was installed, whatever happens to the original folder', async () => {
    const folder = await write('lc-kept', '1.0.0');
    await lurkbox.plugins.loadPlugin(folder);
    await rm(folder, { recursive: true });
    expect(await ask('lc-kept')).toBe('1.0.0');
  });

  test('refuses calls of a disabled plugin until it is enabled, even after a restart', async () => {
    await load('lc-off', '1.0.0');
    lurkbox.plugins.disablePlugin('lc-off');
    expect(await ask('lc-off')).toBe('PLUGIN_DISABLED');
    await reopen();
    expect(await ask('lc-off')).toBe('PLUGIN_DISABLED');
    expect(await ask('lc-off@^1')).toBe('PLUGIN_DISABLED');
    lurkbox.plugins.enablePlugin('lc-off');
    expect(await ask('lc-off')).toBe('1.0.0');
    expect(lurkbox.registry.listByState('ENABLED').map(({ name }) => name)).toEqual(['lc-off']);
  });
});

describe('versions', () => {
  test('exist side by side, and a range picks among them', async () => {
    for (const version of ['1.0.0', '1.2.0', '2.0.0']) await load('lc-side', version);
    expect(await ask('lc-side')).toBe('2.0.0');
    expect(await ask('lc-side@^1')).toBe('1.2.0');
    expect(await ask('lc-side@1.0.0')).toBe('1.0.0');
    expect(await ask('lc-side@^3')).toBe('PLUGIN_NOT_FOUND');
  });

  test('are known after a restart without being read again', async () => {
    await load('lc-known', '1.0.0');
    await load('lc-known', '1.1.0');
    await rm(join(workspace.root, 'elsewhere'), { recursive: true });
    await reopen();
    expect(await ask('lc-known')).toBe('1.1.0');
    expect(await ask('lc-known@1.0.0')).toBe('1.0.0');
  });

  test('follow an activation by another process from the next call on', async () => {
    await load('lc-other', '1.0.0');
    await load('lc-other', '2.0.0');
    expect(await ask('lc-other')).toBe('2.0.0');
    await using other = await open();
    other.plugins.rollbackPlugin('lc-other');
    expect(await ask('lc-other')).toBe('1.0.0');
  });

  test('are rolled back at once without a build, while running calls end on the version they began with', async () => {
    await load('lc-back', '1.0.0');
    await ask('lc-back');
    await load('lc-back', '1.1.0');
    await ask('lc-back');
    const running = lurkbox.plugins.executePlugin('lc-back', { inputData: { wait: 500 } });
    lurkbox.plugins.rollbackPlugin('lc-back');
    expect(await ask('lc-back')).toBe('1.0.0');
    expect(await running).toMatchObject({ result: '1.1.0' });
    expect(await lurkbox.plugins.prepare('lc-back')).toMatchObject({ built: false });
    expect(() => lurkbox.plugins.rollbackPlugin('lc-nobody')).toThrow(
      expect.objectContaining({ code: 'PLUGIN_NOT_FOUND' }),
    );
  });

  test('keep as many images as the policy says', async () => {
    await reopen({ policy: { keep_versions: 1 } });
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
      await load('lc-images', version);
      await ask('lc-images');
    }
    await expect.poll(() => imagesOf('lc-images'), { timeout: 10_000 }).toEqual(['1.1.0', '1.2.0']);
    expect(await ask('lc-images@1.0.0')).toBe('1.0.0');
  });

  test('with extra permissions are not active before the operator agrees', async () => {
    await load('lc-more', '1.0.0');
    const folder = await write('lc-more', '1.1.0', { permissions: { filesystem: true } });
    await expect(lurkbox.plugins.loadPlugin(folder)).rejects.toMatchObject({
      code: 'CONSENT_NEEDED',
      problems: [{ path: 'permissions.filesystem.scratch', message: 'agreed to: no; asks for: yes' }],
    });
    expect(await ask('lc-more')).toBe('1.0.0');
    expect(await ask('lc-more@1.1.0')).toBe('PERMISSION_DENIED');
    await reopen();
    await expect(lurkbox.plugins.activatePlugin('lc-more@1.1.0')).rejects.toMatchObject({
      code: 'CONSENT_NEEDED',
    });
    expect(lurkbox.plugins.consent('lc-more')).toHaveLength(1);
    expect(await ask('lc-more')).toBe('1.1.0');
  });

  test('can have their content replaced from their own folder, but from no other', async () => {
    const folder = await workspace.addPlugin('lc-edit', { code: codeOf('first') });
    names.add('lc-edit');
    await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect(await ask('lc-edit')).toBe('first');
    await workspace.addPlugin('lc-edit', { code: codeOf('second') });
    await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect(await ask('lc-edit')).toBe('second');
    lurkbox.plugins.rollbackPlugin('lc-edit');
    expect(await ask('lc-edit')).toBe('first');
    // What is in the folder is known, and somebody went back from it.
    await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect(await ask('lc-edit')).toBe('first');
    const impostor = await write('lc-edit', '1.0.0', {}, codeOf('third'));
    await expect(lurkbox.plugins.loadPlugin(impostor)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    expect(folder).not.toBe(impostor);
  });
});

describe('a canary', () => {
  test('activates a version that fails no more often', async () => {
    await load('lc-canary', '1.0.0');
    const folder = await write('lc-canary', '1.1.0');
    await lurkbox.plugins.loadPlugin(folder, { activate: 'ifNone' });
    await lurkbox.plugins.activatePlugin('lc-canary@1.1.0', { canary: { share: 0.5, calls: 2 } });
    expect(activeOf('lc-canary')).toBe('1.0.0');
    const seen = new Set<unknown>();
    for (let calls = 0; calls < 40 && activeOf('lc-canary') === '1.0.0'; calls++)
      seen.add(await ask('lc-canary'));
    expect(activeOf('lc-canary')).toBe('1.1.0');
    expect(lurkbox.registry.get('lc-canary')?.canary).toBeNull();
    expect(seen.has('1.1.0')).toBe(true);
  });

  test('rejects a version that fails more often, and says why', async () => {
    await load('lc-worse', '1.0.0');
    const folder = await write(
      'lc-worse',
      '1.1.0',
      {},
      'export const execute = () => { throw new Error("new"); };',
    );
    await lurkbox.plugins.loadPlugin(folder, { activate: 'ifNone' });
    await lurkbox.plugins.activatePlugin('lc-worse@1.1.0', { canary: { share: 0.9, calls: 2 } });
    const stateOf = () =>
      lurkbox.registry.get('lc-worse')?.versions.find(({ version }) => version === '1.1.0')?.state;
    for (let calls = 0; calls < 40 && stateOf() !== 'ERROR'; calls++) await ask('lc-worse');
    expect(stateOf()).toBe('ERROR');
    expect(activeOf('lc-worse')).toBe('1.0.0');
    expect(await ask('lc-worse')).toBe('1.0.0');
    expect(await ask('lc-worse@1.1.0')).toBe('PLUGIN_NOT_FOUND');
  });

  test('by replay compares recorded calls with the same calls on the new version', async () => {
    await reopen({ policy: { plugins: { 'lc-replay': { record_calls: true } } } });
    await load('lc-replay', '1.0.0', {}, 'export const execute = ({ inputData }) => inputData.n * 2;');
    for (const n of [1, 2, 3]) expect(await ask('lc-replay', { n })).toBe(n * 2);
    const good = 'export const execute = ({ inputData: { n } }) => (n === 3 ? 7 : n * 2);';
    await lurkbox.plugins.loadPlugin(await write('lc-replay', '1.1.0', {}, good), { activate: 'ifNone' });
    const bad =
      'export const execute = ({ inputData: { n } }) => { if (n === 2) throw new Error("two"); return n; };';
    await lurkbox.plugins.loadPlugin(await write('lc-replay', '1.2.0', {}, bad), { activate: 'ifNone' });
    await expect(lurkbox.plugins.activatePlugin('lc-replay@1.2.0', { replay: true })).rejects.toMatchObject({
      code: 'STATE_INVALID',
      replay: { worse: 1, differing: 3 },
    });
    expect(activeOf('lc-replay')).toBe('1.0.0');
    expect(await lurkbox.plugins.activatePlugin('lc-replay@1.1.0', { replay: true })).toMatchObject({
      worse: 0,
      differing: 1,
    });
    expect(activeOf('lc-replay')).toBe('1.1.0');
  });
});

test('a version that fails too often is rolled back automatically if the policy says so', async () => {
  const rollback = { failure_percent: 50, calls: 4 };
  await reopen({ policy: { plugins: { 'lc-auto': { rollback } } } });
  await load('lc-auto', '1.0.0');
  await load('lc-auto', '1.1.0');
  for (const fail of [false, false, true, true]) await ask('lc-auto', { fail });
  expect(activeOf('lc-auto')).toBe('1.0.0');
  expect(await ask('lc-auto')).toBe('1.0.0');
  const [failed] = lurkbox.registry.get('lc-auto')?.versions ?? [];
  expect(failed).toMatchObject({ version: '1.1.0', state: 'ERROR', reason: '2 of 4 calls failed' });
});

describe('requirements', () => {
  test('are loaded first, cannot be unloaded alone, and are unloaded with their dependents on request', async () => {
    names.add('lc-needs').add('lc-needed');
    await workspace.addPlugin('lc-needs', {
      code: codeOf('needs'),
      manifest: { requires: ['lc-needed@^1'] },
    });
    await workspace.addPlugin('lc-needed', { code: codeOf('needed') });
    const { loaded, failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect({ loaded: loaded.map(({ name }) => name), failed }).toEqual({
      loaded: ['lc-needed', 'lc-needs'],
      failed: [],
    });
    expect(await ask('lc-needs')).toBe('needs');
    await expect(lurkbox.plugins.unloadPlugin('lc-needed')).rejects.toMatchObject({
      code: 'REQUIREMENT_UNMET',
    });
    expect(await ask('lc-needed')).toBe('needed');
    await lurkbox.plugins.unloadPlugin('lc-needed', { cascade: true });
    expect(lurkbox.registry.list()).toEqual([]);
  });

  test('that are missing or require each other are reported with their path', async () => {
    await workspace.addPlugin('lc-a', { manifest: { requires: ['lc-b@^1'] } });
    await workspace.addPlugin('lc-b', { manifest: { requires: ['lc-a@^1'] } });
    await workspace.addPlugin('lc-c', { manifest: { requires: ['lc-d@^1'] } });
    const { failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
    expect(failed.map(({ error }) => [error.code, error.problems[0]?.message])).toEqual([
      ['REQUIREMENT_UNMET', 'cannot be met: lc-a → lc-b → lc-a (a circle)'],
      ['REQUIREMENT_UNMET', 'cannot be met: lc-a → lc-b → lc-a (a circle)'],
      ['REQUIREMENT_UNMET', 'cannot be met: lc-c → lc-d@^1 (no plugin `lc-d` is installed)'],
    ]);
  });
});

test('events are emitted, stored and audited, with the execution and its outcome', async () => {
  const told: PluginEvent[] = [];
  lurkbox.events.addEventHandler((event) => void told.push(event), { plugin: 'lc-events' });
  lurkbox.events.addEventHandler(() => {
    throw new Error('a handler of its own');
  });
  await load('lc-events', '1.0.0');
  await ask('lc-events');
  const types = ['INSTALL', 'LOAD', 'ACTIVATE', 'ENABLE', 'EXECUTE'];
  await expect.poll(() => told.map(({ eventType }) => eventType)).toEqual(types);
  expect(told.at(-1)).toMatchObject({
    success: true,
    metadata: { outcome: 'OK', executionId: expect.any(String) },
  });
  await reopen();
  expect(lurkbox.registry.events({ plugin: 'lc-events' }).map(({ eventType }) => eventType)).toEqual(types);
  await lurkbox.close();
  expect(await verifyAuditLog(join(workspace.root, '.lurkbox/audit'))).toMatchObject({ ok: true });
});

describe('a number of waiting containers in the policy', () => {
  test('holds after a restart before the first call', async () => {
    await load('lc-warm', '1.0.0');
    await reopen({ maxWarm: 4, policy: { plugins: { 'lc-warm': { warm: 1 } } } });
    const waiting = async () => (await findByLabel(`${LABELS.plugin}=lc-warm`)).containers.length;
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  });

  test('that does not fit is refused when the lurkbox opens, with both numbers', async () => {
    await load('lc-misfit', '1.0.0');
    await lurkbox.close();
    const policy = { plugins: { 'lc-misfit': { warm: 100 } } };
    await expect(open({ maxWarm: 4, policy })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
      problems: [{ path: 'plugins.lc-misfit.warm', message: expect.stringMatching(/100.*at most 4/) }],
    });
    lurkbox = await open();
  });
});

test('waiting and reused containers end when their consent is withdrawn', async () => {
  const isolation = 'session';
  await reopen({ maxWarm: 1, policy: { plugins: { 'lc-withdrawn': { isolation } } } });
  await load('lc-withdrawn', '1.0.0', { permissions: { filesystem: true } });
  const context = { userId: 'ada', sessionId: 'one' };
  expect(await lurkbox.plugins.executePlugin('lc-withdrawn', context)).toMatchObject({ outcome: 'OK' });
  const alive = async () => (await findByLabel(`${LABELS.plugin}=lc-withdrawn`)).containers;
  await expect.poll(alive).not.toEqual([]);
  lurkbox.plugins.withdrawConsent('lc-withdrawn');
  expect((await lurkbox.plugins.executePlugin('lc-withdrawn', context)).outcome).toBe('PERMISSION_DENIED');
  await expect.poll(alive, { timeout: 20_000 }).toEqual([]);
});
