import { join } from 'node:path';
import { buildSync } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { anyValue, canonical } from '../helpers/values.ts';
import { createWorkspace, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

const NAME = 'gives-any-value';
const VALUES_PER_CALL = 150;
const CALLS = 60;
const MB = 2 ** 20;

/** Makes the same values as the test does, from the same seed, and returns them; `bad`: one that is too much or never ends. */
const ENTRY = `
  import fc from 'fast-check';
  import { anyValue } from ${JSON.stringify(join(import.meta.dirname, '../helpers/values.ts'))};
  const MANY = 1_000_000;
  const pairs = () => Array.from({ length: MANY }, (_, index) => ['k' + index, index]);
  const forEver = () => { for (;;); };
  const BAD = {
    map: () => new Map(pairs()),
    set: () => new Set(pairs()),
    object: () => { const object = {}; for (let index = 0; index < MANY; index++) object['k' + index] = index; return object; },
    list: () => pairs(),
    sparse: () => Object.assign([], { 4294967294: 1 }),
    text: () => 'x'.repeat(2 ** 29 - 24),
    texts: () => Array(90_000).fill('x'.repeat(500_000)),
    bytes: () => [new Uint8Array(64 * 2 ** 20)],
    steps: () => (function* () { for (;;) yield 1; })(),
    deep: () => { let value = []; for (let level = 0; level < 100_000; level++) value = [value]; return value; },
    key: () => ({ ['k'.repeat(1_000_000)]: 1 }),
    getter: () => ({ get a() { return forEver(); } }),
    trap: () => new Proxy({}, { ownKeys: forEver }),
    promise: () => ({ a: new Promise((_, fail) => setTimeout(fail, 5, new Error('late'))) }),
    thrower: () => { throw new Proxy(new Error('x'), { get() { throw 1; }, ownKeys() { throw 2; } }); },
    frozenOut: () => ({ then: (take) => take({ a: Object.freeze(new Proxy([], { get: () => 'nonsense' })) }) }),
  };
  export const execute = ({ inputData: { seed, count, refuses, bad } }) =>
    bad === undefined ? fc.sample(anyValue({ refuses }), { seed, numRuns: count }).map((make) => make().value) : BAD[bad]();
`;

type JsonInput = Readonly<Record<string, string | number | boolean>>;

let workspace: Workspace;
let lurkbox: Lurkbox;
const call = (inputData: JsonInput) => lurkbox.plugins.executePlugin(NAME, { inputData });

beforeAll(async () => {
  workspace = await createWorkspace();
  const { outputFiles } = buildSync({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    write: false,
  });
  await workspace.addPlugin(NAME, {
    code: String(outputFiles[0]?.text),
    manifest: { resources: { memory_mb: 384, cpu_percent: 100, timeout_seconds: 20 } },
  });
  lurkbox = await createLurkbox({
    workspaceRoot: workspace.root,
    persist: false,
    maxWarm: 0,
    policy: { plugins: { [NAME]: { isolation: 'plugin' } } },
  });
  await lurkbox.plugins.discoverAndLoadAll(workspace.root);
});
afterAll(async () => {
  await removeImagesOf(lurkbox, NAME);
  await lurkbox[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
});

test('thousands of values from one container have their documented form, and nothing grows', async () => {
  const first = Math.floor(Math.random() * 1e9);
  let before = 0;
  for (let index = 0; index < CALLS; index++) {
    const seed = first + index;
    const made = fc
      .sample(anyValue({ refuses: false }), { seed, numRuns: VALUES_PER_CALL })
      .map((make) => make());
    const told = made.flatMap(({ warned }) => warned).length;
    const result = await call({ seed, count: VALUES_PER_CALL, refuses: false });
    expect(result, `seed ${seed}`).toMatchObject({ outcome: 'OK', error: null });
    expect(canonical(result.result), `seed ${seed}`).toBe(canonical(made.map(({ form }) => form)));
    expect(result.warnings, `seed ${seed}`).toHaveLength(Math.min(told, 21));
    expect(result.usage.peakMemoryBytes ?? 0).toBeLessThan(200 * MB);
    if (index === CALLS / 2) before = process.memoryUsage().rss;
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * MB);
});

test('a value that cannot cross is named by its path', async () => {
  const first = Math.floor(Math.random() * 1e9);
  for (let index = 0; index < 200; index++) {
    const seed = first + index;
    const [made] = fc.sample(anyValue({ refuses: true }), { seed, numRuns: 1 }).map((make) => make());
    const { outcome, error } = await call({ seed, count: 1, refuses: true });
    const paths = made?.refused.map((path) => `\`result[0]${path}\` `) ?? [];
    expect(outcome, `seed ${seed}`).toBe(paths.length > 0 ? 'PLUGIN_ERROR' : 'OK');
    const { message = '' } = error ?? {};
    if (paths.length > 0 && !message.includes('Cannot perform'))
      expect(
        paths.some((path) => message.startsWith(path)),
        `seed ${seed}: ${message}`,
      ).toBe(true);
  }
});

test.each([
  ...['map', 'set', 'object', 'list', 'sparse', 'text', 'texts', 'bytes', 'steps', 'deep', 'key'].map(
    (bad) => [bad, /^OUTPUT_LIMIT .*`result/],
  ),
  ['getter', /^TIMEOUT/],
  ['trap', /^TIMEOUT/],
  ['promise', /^PLUGIN_ERROR Error: late/],
  ['thrower', /^PLUGIN_ERROR a thrown value that cannot be read/],
  ['frozenOut', /^(PLUGIN_ERROR .*`result\.a|OK)/],
] as [string, RegExp][])(
  'a value that is too large or endless gives the caller one error: %s',
  async (bad, told) => {
    const before = process.memoryUsage().rss;
    const { outcome, error, executionTimeMs } = await call({ bad });
    expect(`${outcome} ${error?.message ?? ''}`).toMatch(told);
    expect(executionTimeMs).toBeLessThan(30_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MB);
  },
);
