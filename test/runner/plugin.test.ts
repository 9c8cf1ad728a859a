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
    ['exports something else', { code: 'export const run = 1, other = 2;' }, 'it exports other, run'],
    [
      'exports an `execute` that is no function',
      { code: 'export const execute = 42;' },
      'it exports execute',
    ],
    ['exports null', { code: 'export default null;' }, 'it exports default'],
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
