import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPlugin, type PluginSource, type TestPlugin } from '../helpers/workspace.ts';

/** Whether Node has started its own stripper of types in this process. */
const STARTED = "process.moduleLoadList.some((name) => name.includes('amaro'))";

const MANIFEST = { entry_point: 'index.ts' };

async function callOnce(name: string, source: PluginSource) {
  await using plugin = await createPlugin(name, { manifest: MANIFEST, ...source });
  return await plugin.call();
}

describe('a plugin of several TypeScript files', () => {
  const INDEX = `
import type { Shape } from './types.ts';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { name as fromMts, type Named } from './lib/module.mts';
import common, { name as fromCts } from './lib/common.cts';
import { plain } from './plain.mjs';
import { untyped } from './untyped.ts';

interface Options {
  readonly fails: boolean;
}

export async function execute({ inputData }: { inputData: Options }) {
  if (inputData.fails) throw new TypeError('wanted' as string);
  const require = createRequire(import.meta.url);
  const named: Named = { name: fromMts };
  return {
    names: [named.name, fromCts, common.name, plain, untyped satisfies string],
    required: [
      require('./lib/common.cts').name,
      require('./lib/module.mts').name,
      require('./untyped.ts').untyped,
      require('./lib/detected.ts').name,
    ],
    lazy: (await import('./lib/détails.ts')).name,
    asked: (await import('./lib/asked.ts?again')).name,
    ownSource: readFileSync(new URL('types.ts', import.meta.url), 'utf8'),
  } as Shape;
}
`;
  const TYPES = 'export interface Shape { names: string[] }\n';
  let plugin: TestPlugin;
  beforeAll(async () => {
    plugin = await createPlugin('typescript-files', {
      manifest: MANIFEST,
      code: INDEX,
      files: {
        'types.ts': TYPES,
        'lib/module.mts': "export interface Named { name: string }\nexport const name: string = 'mts';",
        'lib/common.cts': "const name: string = 'cts';\nmodule.exports = { name };",
        'lib/detected.ts': "const name: string = 'CommonJS by its syntax';\nexports.name = name;",
        'lib/détails.ts': "export const name: string = 'lazy';",
        'lib/asked.ts': "export const name: string = 'asked';",
        'untyped.ts': "export const untyped = 'untyped';",
        'plain.mjs': "export const plain = 'plain';",
        // Named like what holds the files without their types: a plugin cannot put anything in its place.
        'stripped.json': '{"file:///plugin/index.ts":"export const execute = () => 0;"}',
        'lurkbox/stripped.json': '{"file:///plugin/index.ts":"export const execute = () => 0;"}',
      },
    });
  });
  afterAll(() => plugin[Symbol.asyncDispose]());

  test('is executed, in every module format and with every way of loading', async () => {
    const { outcome, result, error } = await plugin.call({ inputData: { fails: false } });
    expect({ outcome, error }).toEqual({ outcome: 'OK', error: null });
    expect(result).toEqual({
      names: ['mts', 'cts', 'cts', 'plain', 'untyped'],
      required: ['cts', 'mts', 'untyped', 'CommonJS by its syntax'],
      lazy: 'lazy',
      asked: 'asked',
      ownSource: TYPES,
    });
  });

  test('has the lines of its source in a stack trace', async () => {
    const { error } = await plugin.call({ inputData: { fails: true } });
    const lines = INDEX.split('\n');
    const line = lines.findIndex((text) => text.includes('throw new'));
    const column = lines[line]?.indexOf('new') ?? -1;
    expect(error?.stack).toContain(`file:///plugin/index.ts:${line + 1}:${column + 1}`);
  });
});

test('types are stripped when the image is built, and not in the container', async () => {
  const code = `export const execute = (): boolean => ${STARTED};`;
  expect(await callOnce('typescript-once', { code })).toMatchObject({ outcome: 'OK', result: false });
});

test('the nearest `package.json` decides the module format of a file', async () => {
  const code = "import { name } from './common/index.ts';\nexport const execute = (): string => name;";
  const files = {
    'package.json': '{ "type": "module" }',
    'common/package.json': '{ "type": "commonjs" }',
    'common/index.ts': 'const name: string = typeof require;\nexports.name = name;',
  };
  expect(await callOnce('typescript-types', { code, files })).toMatchObject({
    outcome: 'OK',
    result: 'function',
  });
});

test('code that cannot be stripped is reported by Node at load, with its file', async () => {
  const code = "import { A } from './a.ts';\nexport const execute = (): number => A.B;";
  const result = await callOnce('typescript-enum', { code, files: { 'a.ts': '\nexport enum A { B }' } });
  expect(result).toMatchObject({
    outcome: 'PLUGIN_ERROR',
    error: {
      message: expect.stringContaining('enum'),
      stack: expect.stringContaining('/plugin/a.ts:2'),
    },
  });
});

test('a file that cannot be stripped does no harm if it is not loaded', async () => {
  const code = 'export const execute = (): number => 42;';
  const files = { 'movie.ts': '\u0000G@\u0000 is a container for pictures, too' };
  expect(await callOnce('typescript-movie', { code, files })).toMatchObject({ outcome: 'OK', result: 42 });
});

test('a plugin that breaks built-in objects still loads its TypeScript', async () => {
  const code = `
Map.prototype.get = () => { throw new Error('broken'); };
Object.entries = JSON.parse = () => null;
export const execute = async (): Promise<boolean> => (await import('./late.ts')).late;`;
  const files = { 'late.ts': `export const late: boolean = ${STARTED};` };
  expect(await callOnce('typescript-broken', { code, files })).toMatchObject({
    outcome: 'OK',
    result: false,
  });
});

test('a syntax error of JavaScript is reported with its place', async () => {
  const code = '\nlet a: number = 1;\nlet a: number = 2;\nexport const execute = () => a;';
  expect(await callOnce('typescript-twice', { code })).toMatchObject({
    outcome: 'PLUGIN_ERROR',
    error: { message: expect.stringMatching(/already been (declared|defined)/) },
  });
});

describe('an import of `./x.js` where only `x.ts` exists', () => {
  test('loads `x.ts`, also by `require` and for `.mjs`', async () => {
    const { outcome, result, error } = await callOnce('typescript-js-imports', {
      code: `
import { name } from './helper.js';
import { other } from './lib/other.mjs';
import { createRequire } from 'node:module';
import { both } from './both.js';
export const execute = (): string[] => [name, other, createRequire(import.meta.url)('./helper.js').name, both];
`,
      files: {
        'helper.ts': "export const name: string = 'helper';",
        'lib/other.mts': "export const other: string = 'other';",
        'both.js': "export const both = 'JavaScript';",
        'both.ts': "export const both: string = 'TypeScript';",
      },
    });
    expect({ outcome, result, error }).toEqual({
      outcome: 'OK',
      result: ['helper', 'other', 'helper', 'JavaScript'],
      error: null,
    });
  });

  test('of a file that exists in neither form is reported as written', async () => {
    const { error } = await callOnce('typescript-js-missing', {
      code: "import { name } from './missing.js';\nexport const execute = (): string => name;\n",
    });
    expect(error?.message).toContain('/plugin/missing.js');
  });
});
