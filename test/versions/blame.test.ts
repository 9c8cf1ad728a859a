import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

/** Calls that end before any container is needed; none can be had. */
const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeEach(async () => {
  workspace = await createWorkspace();
  const policy = { plugins: { one: { rollback: { failure_percent: 50, calls: 4 } } } };
  lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    policy,
    maxWarm: 0,
    maxMemoryMb: 256,
    env: NO_ENGINE,
  });
});
afterEach(async () => {
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

async function load(version: string, manifest: object = {}): Promise<void> {
  const resources = { memory_mb: 96 };
  await lurkbox.plugins.loadPlugin(
    await workspace.addPlugin('one', { manifest: { version, resources, ...manifest } }),
  );
}

async function call(times: number): Promise<string[]> {
  const outcomes = new Set<string>();
  for (let calls = 0; calls < times; calls++)
    outcomes.add((await lurkbox.plugins.executePlugin('one', { channelId: 'slack' })).outcome);
  return [...outcomes];
}

const activeOf = () => lurkbox.registry.get('one')?.active?.version;

test.each<[string, object, string]>([
  ['the channels that it names', { permissions: { channels: ['another'] } }, 'PERMISSION_DENIED'],
  ['more memory than there is', { resources: { memory_mb: 512 } }, 'HOST_RESOURCES'],
])('a version that refuses every call by %s is rolled back', async (_title, manifest, outcome) => {
  await load('1.0.0');
  await load('2.0.0', manifest);
  expect(await call(4)).toEqual([outcome]);
  expect(activeOf()).toBe('1.0.0');
  expect(await call(4)).toEqual(['ENGINE_UNAVAILABLE']);
  expect(activeOf()).toBe('1.0.0');
});

test('an engine that is away causes no rollback', async () => {
  await load('1.0.0');
  await load('2.0.0');
  expect(await call(10)).toEqual(['ENGINE_UNAVAILABLE']);
  expect(activeOf()).toBe('2.0.0');
});

test('a canary whose calls say nothing about the version ends without a verdict, and the version can be called', async () => {
  await load('1.0.0');
  const folder = await workspace.addPlugin('one', { manifest: { version: '2.0.0' } });
  await lurkbox.plugins.loadPlugin(folder, { activate: 'ifNone' });
  const { id } = lurkbox.plugins.newestVersion('one');
  lurkbox.registry.setCanary('one', { versionId: id, share: 0.99, calls: 2 });
  await call(30);
  expect(lurkbox.registry.get('one')).toMatchObject({ canary: null, active: { version: '1.0.0' } });
  expect(lurkbox.plugins.newestVersion('one').state).toBe('LOADED');
  const [told] = lurkbox.events.history({ plugin: 'one', types: ['ERROR'] });
  expect(told?.error).toMatch(/its canary ended without a verdict: 8 calls of the new version said nothing/);
});
