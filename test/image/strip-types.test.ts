import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isTypeScript, STRIP_LIMITS, stripTypes } from '../../src/image/strip-types.ts';
import { type Logger, SILENT_LOGGER } from '../../src/logger.ts';

const { signal } = new AbortController();

function strip(sources: Record<string, string>, options = {}) {
  const context = { logger: SILENT_LOGGER, signal, ...options };
  return stripTypes(new Map(Object.entries(sources)), context);
}

test.each([
  ['index.ts', true],
  ['lib/a.mts', true],
  ['lib/a.cts', true],
  ['types.d.ts', true],
  ['index.js', false],
  ['view.tsx', false],
  ['ts', false],
  // Node strips nothing there, and says so at load.
  ['lib/node_modules/package/index.ts', false],
])('whether types of `%s` are stripped: %s', (path, expected) => {
  expect(isTypeScript(path)).toBe(expected);
});

test('types are replaced by blanks, so that lines and columns stay', async () => {
  const sources = {
    'a.ts': 'type A = {\n  b: 1;\n};\nconst a: A = x;',
    'b.cts': 'let é: string = "é" as const;',
  };
  const stripped = await strip(sources);
  expect(Object.fromEntries(stripped ?? [])).toEqual({
    'a.ts': '          \n       \n  \nconst a    = x;',
    'b.cts': 'let é         = "é"         ;',
  });
});

test('a plugin without TypeScript starts no stripper', async () => {
  expect(await strip({})).toBeNull();
});

describe('a plugin is left unchanged when one of its files', () => {
  test.each([
    ['is no TypeScript', 'const a: = 1;'],
    ['needs more than types to be left out', 'export enum Color { Red }'],
    ['is nested deeper than the parser goes', `${'('.repeat(100_000)}1${')'.repeat(100_000)}`],
    ['has types that are nested as deep', `let a: ${'['.repeat(100_000)}1${']'.repeat(100_000)};`],
    ['is binary junk', randomBytes(100_000).toString()],
    ['is larger than the limit', `//${' '.repeat(STRIP_LIMITS.sourceBytes)}`],
  ])('%s', async (_, source) => {
    const told: object[] = [];
    const logger: Logger = { ...SILENT_LOGGER, debug: (facts: object) => told.push(facts) };
    expect(await strip({ 'a.ts': 'const a: number = 1;', 'b.ts': source }, { logger })).toBeNull();
    expect(told).toEqual([{ reason: expect.stringMatching(/\S/) }]);
  });
});

test('code up to the limit is stripped', async () => {
  const line = 'const a: number = 1;\n';
  const source = line.repeat(Math.floor(STRIP_LIMITS.sourceBytes / line.length));
  const stripped = await strip({ 'a.ts': source });
  expect(stripped?.get('a.ts')).toHaveLength(source.length);
});

test('code that is long as JSON does not end the stripper early', async () => {
  const source = `//${'\u0001'.repeat(STRIP_LIMITS.sourceBytes - 10)}`;
  expect((await strip({ 'a.ts': source }))?.get('a.ts')).toBe(source);
});

test('stripping ends when its signal aborts', async () => {
  const reason = new Error('no longer wanted');
  await expect(strip({ 'a.ts': 'let a: 1' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
