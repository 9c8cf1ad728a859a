import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

/** The plugin chooses how it ends, and not with whom that lies. */
const NAME = 'blamed';
const GOOD = 'export const execute = () => "good";';

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeEach(async () => {
  workspace = await createWorkspace();
  const rollback = { failure_percent: 50, calls: 3 };
  lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    policy: { plugins: { [NAME]: { rollback } } },
    maxWarm: 0,
  });
});

afterEach(async () => {
  await removeImagesOf(lurkbox, NAME);
  await lurkbox.close();
  await workspace[Symbol.asyncDispose]();
});

async function write(version: string, code: string, manifest: object = {}): Promise<string> {
  const resources = { memory_mb: 96, timeout_seconds: 2 };
  return workspace.addPlugin(NAME, { code, manifest: { version, resources, ...manifest } });
}

async function ask(): Promise<string> {
  return (await lurkbox.plugins.executePlugin(NAME)).outcome;
}

const activeOf = () => lurkbox.registry.get(NAME)?.active?.version;

/** Imports for the ways below. */
const HEAD = `import { closeSync, writeSync } from 'node:fs';
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const shut = (...descriptors) => descriptors.forEach((fd) => closeSync(fd));
`;

const WAYS: readonly (readonly [string, string])[] = [
  ['exits as the runner does when its input is closed', 'process.exit(85)'],
  ['exits as if all were well', 'process.exit(0)'],
  ['exits as what a killed engine leaves', 'process.exit(255)'],
  ['exits as what was killed', 'process.exit(137)'],
  ['exits as what was told to leave', 'process.exit(143)'],
  ['aborts', 'process.abort()'],
  ['kills itself', 'process.kill(process.pid, "SIGKILL"); await later(5_000)'],
  [
    'closes its output, and exits as the runner does some time later',
    'shut(1, 2); await later(300); process.exit(85)',
  ],
  ['closes everything it has, and exits', 'shut(0, 1, 2); process.exit(85)'],
  ['closes its output and runs on', 'shut(1, 2); await later(60_000)'],
  [
    'says that its heap is full, and exits as the runner does',
    'writeSync(2, "JavaScript heap out of memory\\n"); process.exit(85)',
  ],
  ['leaves much unread, and exits', 'writeSync(1, "x".repeat(300_000)); process.exit(255)'],
];

describe('a version whose code', () => {
  test.each(WAYS)('%s is rolled back', async (_title, way) => {
    await lurkbox.plugins.loadPlugin(await write('1.0.0', GOOD));
    expect(await ask()).toBe('OK');
    const code = `${HEAD}export const execute = async () => { ${way}; };`;
    await lurkbox.plugins.loadPlugin(await write('2.0.0', code));
    for (let calls = 0; calls < 3; calls++) await ask();
    expect(activeOf()).toBe('1.0.0');
    expect(await ask()).toBe('OK');
  });
});

describe('a version that, while it loads,', () => {
  const atLoad: typeof WAYS = [
    ...WAYS,
    ['never comes to an end', 'await new Promise(() => setInterval(() => {}, 1_000))'],
  ];

  test.each(atLoad)('%s is not activated by hot reload', async (_title, way) => {
    const folder = await write('1.0.0', GOOD);
    await lurkbox.plugins.loadPlugin(folder);
    await writeFile(join(folder, 'index.mjs'), `${HEAD}${way};\nexport const execute = () => "bad";`);
    const reloading = lurkbox.reloader.reload(folder, {
      signal: new AbortController().signal,
      isFirst: false,
    });
    await expect(reloading).rejects.toMatchObject({ code: 'PLUGIN_BROKEN' });
    expect(await ask()).toBe('OK');
    const [broken] = lurkbox.registry.get(NAME)?.versions ?? [];
    expect(broken).toMatchObject({ state: 'ERROR', reason: expect.stringContaining('cannot be loaded') });
  });
});

describe('a version that refuses every call by', () => {
  test.each<[string, object]>([
    ['a schema for its input', { input_schema: { not: {} } }],
    ['a schema for its configuration', { config_schema: { required: ['never'] } }],
  ])('%s is rolled back', async (_title, manifest) => {
    await lurkbox.plugins.loadPlugin(await write('1.0.0', GOOD));
    expect(await ask()).toBe('OK');
    await lurkbox.plugins.loadPlugin(await write('2.0.0', GOOD, manifest));
    for (let calls = 0; calls < 3; calls++) expect(await ask()).toBe('INPUT_INVALID');
    expect(activeOf()).toBe('1.0.0');
  });
});

test('invalid input of a caller causes no rollback', async () => {
  const takesNumbers = { input_schema: { properties: { text: { type: 'number' } } } };
  await lurkbox.plugins.loadPlugin(await write('1.0.0', GOOD, takesNumbers));
  await lurkbox.plugins.loadPlugin(await write('2.0.0', `${GOOD} // another`, takesNumbers));
  for (let calls = 0; calls < 8; calls++) {
    const { outcome } = await lurkbox.plugins.executePlugin(NAME, { inputData: { text: 'none' } });
    expect(outcome).toBe('INPUT_INVALID');
  }
  expect(activeOf()).toBe('2.0.0');
});

test('a canary of a version that fails every call like that comes to an end', async () => {
  await lurkbox.plugins.loadPlugin(await write('1.0.0', GOOD));
  const bad = await write('2.0.0', 'export const execute = () => process.exit(85);');
  await lurkbox.plugins.loadPlugin(bad, { activate: 'ifNone' });
  await lurkbox.plugins.activatePlugin(`${NAME}@2.0.0`, { canary: { share: 0.9, calls: 2 } });
  for (let calls = 0; calls < 30 && lurkbox.registry.get(NAME)?.canary !== null; calls++) await ask();
  expect(lurkbox.registry.get(NAME)).toMatchObject({ canary: null, active: { version: '1.0.0' } });
  // Another canary is another chance.
  await lurkbox.plugins.activatePlugin(`${NAME}@2.0.0`, { canary: { share: 0.9, calls: 2 } });
  expect(lurkbox.registry.get(NAME)?.canary).not.toBeNull();
});

test('a version that every caller gives up on is rolled back, but not for impatient callers', async () => {
  await lurkbox.plugins.loadPlugin(await write('1.0.0', GOOD));
  for (let calls = 0; calls < 3; calls++) expect(await ask()).toBe('OK');
  lurkbox.registry.flush();
  const code = 'export const execute = () => new Promise(() => setInterval(() => {}, 1_000));';
  const resources = { memory_mb: 96, timeout_seconds: 60 };
  await lurkbox.plugins.loadPlugin(await write('2.0.0', code, { resources }));
  const tire = async (ms: number): Promise<string> => {
    const signal = AbortSignal.timeout(ms);
    return (await lurkbox.plugins.executePlugin(NAME, {}, { signal })).outcome;
  };
  for (let calls = 0; calls < 4; calls++) expect(await tire(20)).toBe('CANCELLED');
  expect(activeOf()).toBe('2.0.0');
  expect(await Promise.all([12_000, 12_000, 12_000].map(tire))).toEqual(Array(3).fill('CANCELLED'));
  expect(activeOf()).toBe('1.0.0');
}, 60_000);
