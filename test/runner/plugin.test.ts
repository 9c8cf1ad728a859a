import { buildSync } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { runPlugin, type Source } from './run.ts';

describe.concurrent('a plugin is loaded that', () => {
  test.each<[string, Source]>([
    ['exports `execute` by name', { code: 'export const execute = () => 42;' }],
    ['exports it as default', { code: 'export default async () => 42;' }],
    ['exports an object with it as default', { code: 'export default { execute: () => 42 };' }],
    ['is CommonJS', { code: 'module.exports.execute = () => 42;', file: 'index.cjs' }],
    [
      'is CommonJS with an object',
      { code: 'module.exports = { execute() { return 42; } };', file: 'index.cjs' },
    ],
    ['is a function of CommonJS', { code: 'module.exports = () => 42;', file: 'index.cjs' }],
    [
      'is TypeScript',
      { code: 'export const execute = (): number => 42 satisfies number;', file: 'index.ts' },
    ],
    ['waits while it is loaded', { code: 'const answer = await 42; export const execute = () => answer;' }],
    [
      'is CommonJS as a compiler of TypeScript makes it',
      {
        code: 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = () => 42;',
        file: 'index.cjs',
      },
    ],
    [
      'is transpiled CommonJS with an object',
      {
        code: 'exports.__esModule = true; exports.default = { answer: 42, execute() { return this.answer; } };',
        file: 'index.cjs',
      },
    ],
    [
      'exports an object with helpers beside `execute`',
      { code: 'export default { format: () => 42, execute() { return this.format(); } };' },
    ],
    [
      'exports a class',
      { code: 'export default class { #answer = 42; execute() { return this.#answer; } }' },
    ],
    [
      'exports an instance',
      { code: 'class A { #b = 42; execute() { return this.#b; } } export default new A();' },
    ],
    [
      'exports a class as older compilers write it',
      {
        code: 'function A() { this.b = 42; } A.prototype.execute = function () { return this.b; }; module.exports = A;',
        file: 'index.cjs',
      },
    ],
    ['exports a function that makes it', { code: 'export default () => ({ execute: () => 42 });' }],
    [
      'exports a function that makes it later',
      { code: 'export default async () => ({ execute: () => 42 });' },
    ],
    ['exports a promise of it', { code: 'export default Promise.resolve({ execute: () => 42 });' }],
    ['exports it as `plugin`', { code: 'export const plugin = { execute: () => 42 };' }],
    [
      'exports both, and then the one of that name',
      { code: 'export const execute = () => 42; export default () => 1;' },
    ],
  ])('%s', async (_title, source) => {
    const { response } = await runPlugin(source);
    expect(response).toMatchObject({ id: 1, result: 42 });
  });
});

describe.concurrent('a plugin cannot be loaded that', () => {
  test.each<[string, Source, string]>([
    ['exports nothing', { code: '' }, 'it exports nothing'],
    [
      'exports something else',
      { code: 'export const run = 1, other = 2;' },
      'it exports `other` (number), `run` (number)',
    ],
    [
      'exports an `execute` that is no function',
      { code: 'export const execute = 42;' },
      'it exports `execute` (number)',
    ],
    ['exports null', { code: 'export default null;' }, 'it exports `default` (null)'],
    ['is no JavaScript', { code: 'export const = ;' }, 'Unexpected token'],
    ['throws while it is loaded', { code: 'throw new Error("at load");' }, 'at load'],
    ['imports what is not there', { code: 'import "left-pad";' }, "Cannot find package 'left-pad'"],
    ['is TypeScript that Node cannot strip', { code: 'enum A { B }', file: 'index.ts' }, 'enum'],
  ])('%s', async (_title, source, message) => {
    const { response } = await runPlugin(source);
    expect(response?.error).toMatchObject({ code: -32002, message: expect.stringContaining(message) });
  });

  test('waits for ever while it is loaded', async () => {
    const { response } = await runPlugin({ code: 'await new Promise(() => {});' });
    expect(response?.error).toMatchObject({ code: -32003 });
  });
});

test('a stack has the source lines of the author when a bundle maps them', async () => {
  const { outputFiles } = buildSync({
    stdin: {
      contents:
        "// one\ntype T = { a: number };\nexport function execute(_: T) {\n  throw new Error('here');\n}",
      sourcefile: 'src/main.ts',
      loader: 'ts',
    },
    format: 'esm',
    minify: true,
    sourcemap: 'inline',
    write: false,
  });
  const { response } = await runPlugin({ code: String(outputFiles[0]?.text), file: 'dist.mjs' });
  expect(response?.error?.data['stack']).toMatch(/src\/main\.ts:4:9/);
});

describe('a syntax error is reported with its file and line:', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    [
      'of the entry',
      { 'index.mjs': '// one\nexport const execute = () => {\n  const x = ;\n};' },
      /index\.mjs:3\)$/,
    ],
    [
      'of a file that is imported',
      {
        'index.mjs': "import './lib/helper.mjs';\nexport const execute = () => 1;",
        'lib/helper.mjs': "import { join } from 'node:path';\n\nexport const f = () => join('a' 'b');",
      },
      /lib\/helper\.mjs:3\)$/,
    ],
    [
      'of CommonJS',
      { 'index.cjs': "\nmodule.exports = { execute() { return 'a' 'b' } };" },
      /index\.cjs:2\)$/,
    ],
    [
      'of a decorator',
      { 'index.mjs': 'class A {\n  @log run() {}\n}\nexport const execute = 1;' },
      /index\.mjs:2\)$/,
    ],
    [
      'of a name that is not exported',
      {
        'index.mjs': "import { nope } from './a.mjs';\nexport const execute = nope;",
        'a.mjs': 'export const a = 1;',
      },
      /index\.mjs:1\)$/,
    ],
  ])('%s', async (_title, files, told) => {
    const [entry = ''] = Object.keys(files);
    const runner = await runPlugin({ code: files[entry] ?? '', file: entry, files });
    expect(runner.response?.error?.message).toMatch(told);
  });
});
