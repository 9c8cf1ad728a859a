import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OUTCOMES } from '../src/calls/outcome.ts';
import { describeError, LurkboxError, SYSTEM_ERROR_CODES, USER_ERROR_CODES } from '../src/errors.ts';

const CODES = { ...USER_ERROR_CODES, ...SYSTEM_ERROR_CODES };

/** A red pin asks: is this deliberate? */
test('the error codes are fixed', () => {
  expect(Object.keys(USER_ERROR_CODES)).toEqual([
    'MANIFEST_INVALID',
    'POLICY_INVALID',
    'POLICY_DENIED',
    'WORKFLOW_INVALID',
    'CONTEXT_INVALID',
    'OPTIONS_INVALID',
    'PLUGIN_NOT_FOUND',
    'REGISTRY_INVALID',
    'STATE_INVALID',
    'PLUGIN_BROKEN',
    'REQUIREMENT_UNMET',
    'CONSENT_NEEDED',
    'DEPENDENCY_FAILED',
  ]);
  expect(Object.keys(SYSTEM_ERROR_CODES)).toEqual([
    'ENGINE_UNAVAILABLE',
    'ENGINE_TIMEOUT',
    'ENGINE_LOST',
    'ENGINE_INSECURE',
    'ENGINE_ERROR',
    'RUNTIME_UNAVAILABLE',
    'IMAGE_MISSING',
    'IMAGE_BUILD_FAILED',
    'CONTAINER_VANISHED',
    'HOST_RESOURCES',
    'CANCELLED',
    'INTERNAL',
  ]);
});

test('no error code is both a fault of a person and a fault of a machine', () => {
  expect(Object.keys(USER_ERROR_CODES).filter((code) => Object.hasOwn(SYSTEM_ERROR_CODES, code))).toEqual([]);
});

test.each(Object.entries(CODES))('%s says in one sentence what happened', (_code, meaning) => {
  expect(meaning).toMatch(/^[A-Z].*\.$/);
});

describe('an error of lurkbox', () => {
  test('has a name, a code, a message and no problems', () => {
    const error = new LurkboxError('INTERNAL', 'A fault.');
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'LurkboxError',
      code: 'INTERNAL',
      message: 'A fault.',
      problems: [],
    });
    expect(error).not.toHaveProperty('cause');
  });

  test('keeps its cause', () => {
    const cause = new TypeError('x');
    expect(new LurkboxError('INTERNAL', 'A fault.', { cause }).cause).toBe(cause);
  });

  test('has quoted text escaped and cut', () => {
    const forged = 'x\n✔ forged\u001b[2J\u2028\u2800';
    const problems = Array.from({ length: 5_000 }, () => ({ path: forged, message: forged.repeat(1_000) }));
    const error = new LurkboxError('INTERNAL', forged, { problems, lines: [`  - ${forged}`] });
    const text = describeError(error);
    expect(text.length).toBeLessThan(100_000);
    expect(text).not.toMatch(/[\u001b\u2028\u2800]/);
    expect(text.split('\n').filter((line) => !/^(x| {2}- )/.test(line))).toEqual([]);
    expect(error.problems.at(-1)).toEqual({ path: '', message: 'and 4940 more problems' });
  });

  test('is printed with its problems, one per line, each with its path', () => {
    const problems = [
      { path: 'resources.memory_mb', message: 'asks for too much' },
      { path: '', message: 'is not valid JSON' },
    ];
    expect(describeError(new LurkboxError('MANIFEST_INVALID', 'The manifest is wrong.', { problems }))).toBe(
      'The manifest is wrong.\n  - `resources.memory_mb`: asks for too much\n  - is not valid JSON',
    );
    expect(describeError(new LurkboxError('INTERNAL', 'A fault.'))).toBe('A fault.');
  });
});

describe('docs/reference/errors.md', () => {
  const text = readFileSync(new URL('../docs/reference/errors.md', import.meta.url), 'utf8');

  /** The rows of a section: `code` → the rest of its cells. */
  function rowsOf(heading: string): Map<string, string[]> {
    const [, section = ''] = text.split(`## ${heading}\n`);
    const [body = ''] = section.split(/^## /m);
    const rows = body.split('\n').map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
    return new Map(
      rows.flatMap(([, code = '', ...cells]) =>
        /^`[A-Z_]+`$/.test(code) ? [[code.slice(1, -1), cells]] : [],
      ),
    );
  }

  const tables: [string, Readonly<Record<string, string>>][] = [
    ['Outcomes', OUTCOMES],
    ['Errors that you can correct', USER_ERROR_CODES],
    ['Errors of the engine and the host', SYSTEM_ERROR_CODES],
  ];

  test.each(tables)(
    'explains every code of %s, in the order of the source, and no other',
    (heading, table) => {
      expect([...rowsOf(heading).keys()]).toEqual(Object.keys(table));
    },
  );

  test.each(tables)('says for each code of %s what it means and what to do', (heading) => {
    for (const [code, [meaning = '', advice = '', ...rest]] of rowsOf(heading)) {
      expect([code, meaning, advice]).toEqual([
        code,
        expect.stringMatching(/\.$/),
        expect.stringMatching(/\.$/),
      ]);
      expect(rest).toEqual(['']);
    }
  });
});
