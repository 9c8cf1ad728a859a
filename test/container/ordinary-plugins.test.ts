import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createLurkbox,
  type ExecutionContextOptions,
  type Lurkbox,
  type PluginExecutionResult,
} from '../../src/index.ts';
import { createWorkspace, type PluginSource, removeImagesOf, type Workspace } from '../helpers/workspace.ts';

interface OrdinaryPlugin extends PluginSource {
  readonly does: string;
  readonly input?: ExecutionContextOptions['inputData'];
  readonly expected: unknown;
}

const OK = (result: unknown, rest: object = {}) => ({ outcome: 'OK', result, warnings: [], ...rest });
const has = (text: string) => expect.stringContaining(text);
const told = (...warnings: string[]) => warnings.map((warning) => has(warning));
const line = (message: string) => expect.objectContaining({ message: has(message) });

/** As authors write them for Node, without a thought of a sandbox. By name, with what comes of them. */
const PLUGINS: Readonly<Record<string, OrdinaryPlugin>> = {
  'async-logger': {
    does: 'logs by writes that nobody waits for, and throws',
    code: `import { write } from 'node:fs';
      const lines = [];
      const next = () => { if (lines.length > 0) write(1, lines[0], () => { lines.shift(); next(); }); };
      const log = (text) => { if (lines.push(text + '\\n') === 1) next(); };
      export function execute() { log('connecting'); log('stock is 0'); throw new Error('see the log'); }`,
    expected: { outcome: 'PLUGIN_ERROR', logs: [line('connecting'), line('stock is 0')] },
  },
  'many-long-lines': {
    does: 'prints 300 lines of 800 characters past the console',
    code: `export const execute = () => {
        for (let row = 0; row < 300; row++) process[row % 2 ? 'stdout' : 'stderr'].write('r'.repeat(800) + '\\n');
        return 300;
      };`,
    expected: OK(300, { logs: expect.toSatisfy(({ length }: { length: number }) => length === 300) }),
  },
  'long-import': {
    does: 'logs 3,000 lines, says why, and throws',
    code: `export const execute = () => {
        for (let row = 1; row <= 3000; row++) console.log('row', row);
        console.error('row 3001 has no date');
        throw new Error('import failed, see the log');
      };`,
    expected: {
      outcome: 'PLUGIN_ERROR',
      logs: expect.arrayContaining([line('row 1'), line('row 3001 has no date')]),
      warnings: told('log lines between the first and the last ones were left out'),
    },
  },
  'progress-bar': {
    does: 'draws over its own line, and tells its progress in ninths',
    code: `export const execute = (_, host) => {
        for (let done = 0; done <= 400; done++) process.stdout.write('\\r' + done / 4 + ' %');
        process.stdout.write('\\nindexed\\n');
        let fraction = 0;
        for (let file = 0; file < 9; file++) host.progress((fraction += 1 / 9));
        return 1200;
      };`,
    expected: OK(1200, { logs: [line('100 %'), line('indexed')] }),
  },
  statistics: {
    does: 'returns a Map, a Set, the mean of nothing and an error that it caught',
    code: `export const execute = () => {
        let error;
        try { JSON.parse('{'); } catch (caught) { error = caught; }
        return { counts: new Map([['a', 2]]), distinct: new Set([1, 2]), mean: 0 / 0, error };
      };`,
    expected: {
      outcome: 'OK',
      result: {
        counts: { a: 2 },
        distinct: [1, 2],
        mean: null,
        error: { name: 'SyntaxError', message: has('JSON') },
      },
      warnings: told('`result.mean` is NaN'),
    },
  },
  picture: {
    does: 'returns a picture as bytes',
    code: 'export const execute = () => ({ png: Buffer.alloc(150_000, 1) });',
    expected: OK({ png: Buffer.alloc(150_000, 1).toString('base64') }),
  },
  rates: {
    does: 'fetches from a port that nobody listens to',
    code: "export const execute = async () => (await fetch('http://127.0.0.1:4010/rates')).json();",
    expected: {
      outcome: 'PLUGIN_ERROR',
      error: { message: has('ECONNREFUSED'), hint: has('"network": true') },
    },
  },
  weather: {
    does: 'fetches without having asked for a network',
    code: "export const execute = async () => (await fetch('https://weather.example/')).json();",
    expected: {
      outcome: 'PLUGIN_ERROR',
      error: { message: has('weather.example'), hint: has('`allow.bridge`') },
    },
  },
  'thrown-answer': {
    does: 'throws the answer of a service',
    code: "export const execute = () => { throw { status: 402, body: 'pay first' }; };",
    expected: {
      outcome: 'PLUGIN_ERROR',
      error: { message: has('402'), details: { status: 402, body: 'pay first' } },
    },
  },
  compiled: {
    does: 'is CommonJS that a compiler of TypeScript wrote',
    manifest: { entry_point: 'index.cjs' },
    code: `Object.defineProperty(exports, '__esModule', { value: true });
      exports.default = async function execute({ inputData }) { return inputData; };`,
    input: 'compiled',
    expected: OK('compiled'),
  },
  helpers: {
    does: 'is an object whose methods call one another, and takes the prototype by its old name',
    code: `const styles = { bold: (text) => '*' + text + '*' };
      const chain = () => {};
      chain.__proto__ = styles;
      export default { execute() { return this.format('three errors'); }, format: (text) => chain.bold(text) };`,
    expected: OK('*three errors*'),
  },
  'relative-file': {
    does: 'reads a file of its own by a relative path',
    code: "import { readFileSync } from 'node:fs'; export const execute = () => readFileSync('./countries.json', 'utf8');",
    files: { 'countries.json': '["NO"]' },
    expected: OK('["NO"]'),
  },
  'package-of-its-own': {
    does: 'names a package in package.json alone',
    code: "import ms from 'ms'; export const execute = () => ms('2 days');",
    files: { 'package.json': '{ "dependencies": { "ms": "^2.1.3" } }' },
    expected: { outcome: 'PLUGIN_ERROR', error: { hint: has('`dependencies`') } },
  },
  'generated-schema': {
    does: 'has a schema that a generator wrote in draft-07',
    manifest: {
      input_schema: {
        $schema: 'http://json-schema.org/draft-07/schema#',
        type: 'object',
        properties: { price: { type: 'number', multipleOf: 0.01 } },
        required: ['price'],
        additionalProperties: false,
      },
    },
    code: 'export const execute = ({ inputData }) => inputData.price;',
    input: { price: 19.99 },
    expected: OK(19.99),
  },
  programs: {
    does: 'starts Node and a shell',
    manifest: { permissions: { exec: true } },
    code: `import { execFileSync, execSync } from 'node:child_process';
      export const execute = () => [execFileSync('node', ['-p', '6 * 7']), execSync('echo hello')].map((out) => String(out).trim());`,
    expected: OK(['42', 'hello']),
  },
};

let workspace: Workspace;
let lurkbox: Lurkbox;

beforeAll(async () => {
  workspace = await createWorkspace();
  for (const [name, source] of Object.entries(PLUGINS)) await workspace.addPlugin(name, source);
  const policy = { plugins: { programs: { allow: { exec: true } } } };
  lurkbox = await createLurkbox({ workspaceRoot: workspace.root, persist: false, maxWarm: 0, policy });
  const { failed } = await lurkbox.plugins.discoverAndLoadAll(workspace.root);
  expect(failed).toEqual([]);
});
afterAll(async () => {
  for (const name of Object.keys(PLUGINS)) await removeImagesOf(lurkbox, name);
  await lurkbox[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
});

test.each(
  Object.entries(PLUGINS).map(([name, { does, input, expected }]) => ({ name, does, input, expected })),
)('a plugin that $does', async ({ name, input, expected }) => {
  const result: PluginExecutionResult = await lurkbox.plugins.executePlugin(name, {
    inputData: input ?? null,
  });
  expect(result).toMatchObject(expected as object);
});
