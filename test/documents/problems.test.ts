import fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from '../../src/documents/problems.ts';
import type { Problem } from '../../src/errors.ts';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { isPlainText } from '../../src/printable.ts';
import { MINIMAL } from '../manifest/sample.ts';

test.each<[string, Record<string, unknown>, Problem]>([
  [
    'what was expected and what came',
    { enabled: 'yes' },
    { path: 'enabled', message: 'expected true or false, got "yes"' },
  ],
  [
    'the bounds of a number',
    { resources: { pids: -1 } },
    { path: 'resources.pids', message: 'expected a whole number from 1 to 32768, got -1' },
  ],
  [
    'all that is accepted where several forms are',
    { permissions: { network: 'bridge' } },
    {
      path: 'permissions.network',
      message:
        'expected true, false, "host" or an object such as { "hosts": ["api.example.org:443"] }, got "bridge"',
    },
  ],
  [
    'the problem inside the one form that was meant',
    { permissions: { filesystem: { mounts: { data: 'x' } } } },
    { path: 'permissions.filesystem.mounts.data', message: 'expected one of "ro", "rw", got "x"' },
  ],
  [
    'the key that was probably meant',
    { Permissions: {} },
    { path: 'Permissions', message: 'unknown key; did you mean `permissions`?' },
  ],
  [
    'the snake case of a key in camel case',
    { resources: { memoryMb: 5 } },
    { path: 'resources.memoryMb', message: 'unknown key; did you mean `memory_mb`?' },
  ],
  [
    'the key that was meant inside a form of several',
    { permissions: { filesystem: { scrach: true } } },
    { path: 'permissions.filesystem.scrach', message: 'unknown key; did you mean `scratch`?' },
  ],
  [
    'the known keys where none is close',
    { author: { name: 'Ada', telephone: '1' } },
    { path: 'author.telephone', message: 'unknown key; known here: `name`, `email`' },
  ],
  [
    'a look-alike letter as what it is',
    { tags: ['a', '\u0430\x1b'] },
    {
      path: 'tags[1]',
      message:
        'expected 1 to 32 characters on one line, without control or invisible characters, got "\\u0430\\u001b"',
    },
  ],
  [
    'a long value in short',
    { plugin_type: 'x'.repeat(5000) },
    {
      path: 'plugin_type',
      message: `expected one of "tool", "middleware", "hook", "integration", got "${'x'.repeat(60)}... (5000 characters)"`,
    },
  ],
  [
    'a hostile key without its control characters',
    { 'a\x1b[2J': 1 },
    { path: 'a\\u001b[2J', message: expect.stringContaining('unknown key; known here: ') },
  ],
])('a problem is reported for %s', (_what, change, problem) => {
  expect(problemsOf({ ...MINIMAL, ...change })).toEqual([problem]);
});

test('every problem is reported once', () => {
  const paths = problemsOf({ ...MINIMAL, name: 'A'.repeat(100), versoin: 1, colour: 2, enabled: 3 }).map(
    ({ path }) => path,
  );
  expect(paths.sort()).toEqual(['colour', 'enabled', 'name', 'versoin']);
});

test('a document that is not an object is reported', () => {
  expect(problemsOf([1, 2])).toEqual([
    {
      path: '',
      message: 'expected an object with keys such as `$schema`, `name`, `version`, `author`, got a list of 2',
    },
  ]);
  expect(problemsOf(null)).toEqual([
    {
      path: '',
      message: 'expected an object with keys such as `$schema`, `name`, `version`, `author`, got null',
    },
  ]);
});

test('a flood of problems is cut, with the number of the rest', () => {
  const flood = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]));
  const problems = problemsOf({ ...MINIMAL, ...flood });
  expect(problems).toHaveLength(51);
  expect(problems.at(-1)).toEqual({ path: '', message: 'and 950 more problems' });
});

test('every problem of any manifest is one line, with control characters escaped', () => {
  const keys = fc.oneof(
    fc.constantFrom(...Object.keys(PluginManifestSchema.shape)),
    fc.string({ unit: 'binary' }),
  );
  const values = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }));
  fc.assert(
    fc.property(fc.dictionary(keys, values), (change) => {
      for (const { path, message } of problemsOf({ ...MINIMAL, ...change })) {
        expect([path, message].every(isPlainText)).toBe(true);
        expect(message.length).toBeLessThan(500);
      }
    }),
  );
});

function problemsOf(value: unknown): readonly Problem[] {
  const checked = check(PluginManifestSchema, value);
  return checked.ok ? [] : checked.problems;
}
