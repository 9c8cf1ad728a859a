import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { compileSchema } from '../../src/execution/schemas.ts';

const META = 'https://json-schema.org/draft/2020-12/schema';
const FIELD = 'input_schema';

const problemsOf = (schema: object, value: unknown) => compileSchema(schema, FIELD)(value);

const invalid = (message: RegExp) =>
  expect.objectContaining({
    code: 'MANIFEST_INVALID',
    problems: [{ path: FIELD, message: expect.stringMatching(message) }],
  });

describe('a value fits', () => {
  const list = { $defs: { node: { properties: { next: { $ref: '#/$defs/node' } }, required: ['v'] } } };

  test.each<[string, object, unknown]>([
    ['an empty schema, whatever it is', {}, Symbol('x')],
    ['a type', { type: 'object' }, {}],
    ['keywords of draft 2020-12', { prefixItems: [{ type: 'number' }], items: false }, [1]],
    ['`unevaluatedProperties`', { properties: { a: {} }, unevaluatedProperties: false }, { a: 1 }],
    ['a format', { type: 'string', format: 'date-time' }, '2026-01-02T03:04:05Z'],
    ['a schema that names its draft', { $schema: META, type: 'number' }, 1],
    ['a schema with an `$id`', { $id: 'https://example.org/a', type: 'number' }, 1],
    ['a recursive schema', { ...list, $ref: '#/$defs/node' }, { v: 1, next: { v: 2, next: { v: 3 } } }],
    ['an anchor', { $defs: { n: { $anchor: 'n', type: 'number' } }, $ref: '#n' }, 1],
  ])('%s', async (_title, schema, value) => {
    expect(await problemsOf(schema, value)).toEqual([]);
  });
});

describe('a value that does not fit says where and why', () => {
  test.each<[string, object, unknown, string, string]>([
    ['at the top', { type: 'number' }, 'x', '', 'must be number'],
    ['below', { properties: { a: { items: { type: 'string' } } } }, { a: ['x', 1] }, 'a.1', 'must be string'],
    [
      'for a missing key',
      { type: 'object', required: ['city'] },
      {},
      '',
      "must have required property 'city'",
    ],
    [
      'for a key too many',
      { properties: { a: {} }, additionalProperties: false },
      { b: 1 },
      '',
      'must NOT have additional properties (`b`)',
    ],
    ['for a format', { type: 'string', format: 'email' }, 'x', '', 'must match format "email"'],
  ])('%s', async (_title, schema, value, path, message) => {
    expect(await problemsOf(schema, value)).toEqual([{ path, message }]);
  });
});

describe('refused is a schema', () => {
  test.each<[string, object, RegExp]>([
    ['that is none', { type: 'strange' }, /type/],
    ['with a keyword that nobody knows', { minimun: 1 }, /unknown keyword: "minimun"/],
    ['of another draft', { $schema: 'http://json-schema.org/draft-07/schema#', type: 'number' }, /no schema/],
    ['that is asynchronous', { $async: true, type: 'object' }, /\$async/],
    ['that is asynchronous below', { properties: { a: { $async: true, type: 'number' } } }, /async/],
    [
      'that refers to an asynchronous one',
      { $defs: { a: { $async: true, $id: 'a', type: 'number' } }, $ref: 'a' },
      /async/,
    ],
    ['that refers to the network', { $ref: 'https://example.org/schema.json' }, /can't resolve reference/],
    ['that refers to a file', { $ref: 'file:///etc/passwd' }, /can't resolve reference/],
    ['that refers to nothing', { $ref: '#/$defs/missing' }, /can't resolve reference/],
    ['with a pattern that is none', { type: 'string', pattern: '(' }, /regular expression/i],
    ['with a format that nobody knows', { type: 'string', format: 'strange' }, /unknown format/],
  ])('%s', (_title, schema, message) => {
    expect(() => compileSchema(schema, FIELD)).toThrow(invalid(message));
  });
});

describe('a hostile schema', () => {
  const CATASTROPHE = { type: 'string', pattern: '^(a+)+$' };
  const HOSTILE_VALUE = `${'a'.repeat(40)}!`;

  test('with a catastrophic pattern ends as a problem, and blocks the event loop only for moments', async () => {
    let longestMs = 0;
    let lastTurn = performance.now();
    const clock = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastTurn);
      lastTurn = performance.now();
    }, 1);
    const startedAt = performance.now();
    const problems = await problemsOf(CATASTROPHE, HOSTILE_VALUE);
    const tookMs = performance.now() - startedAt;
    clearInterval(clock);
    expect(problems).toEqual([{ path: '', message: expect.stringContaining('could not be checked within') }]);
    // A second by its deadline; the rest is for a busy machine.
    expect(tookMs).toBeLessThan(3_000);
    expect(longestMs).toBeLessThan(400);
  });

  test('with a catastrophic pattern lets timers run between its tries', async () => {
    let turns = 0;
    const clock = setInterval(() => turns++, 1);
    // From where a file was read, what is due in the next turn comes before the timers.
    await readFile(import.meta.filename);
    const before = turns;
    await problemsOf(CATASTROPHE, HOSTILE_VALUE);
    clearInterval(clock);
    expect(turns - before).toBeGreaterThanOrEqual(3);
  });

  test('with a catastrophic pattern does no harm to the next check', async () => {
    await problemsOf(CATASTROPHE, HOSTILE_VALUE);
    expect(await problemsOf(CATASTROPHE, 'aaaa')).toEqual([]);
    expect(await problemsOf({ type: 'number' }, 1)).toEqual([]);
  });

  test.each<[string, object]>([
    ['to itself', { $ref: '#' }],
    ['in a circle', { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
    ['in a circle of anchors', { $dynamicAnchor: 'x', allOf: [{ $dynamicRef: '#x' }] }],
  ])('that refers %s ends as a problem', async (_title, schema) => {
    const outcome = await Promise.resolve()
      .then(() => problemsOf(schema, { a: 1 }))
      .catch((error: unknown) => error);
    expect(outcome).toEqual(
      Array.isArray(outcome)
        ? [{ path: '', message: expect.stringContaining('could not be checked') }]
        : expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    );
  });

  test('that branches without end ends as a problem', async () => {
    const branch = (depth: number): object =>
      depth === 0
        ? { not: {} }
        : { anyOf: [{ $ref: `#/$defs/d${depth - 1}` }, { $ref: `#/$defs/d${depth - 1}` }] };
    const levels = Array.from({ length: 40 }, (_, depth) => [`d${depth}`, branch(depth)]);
    const schema = { $defs: Object.fromEntries(levels), $ref: '#/$defs/d39' };
    expect(await problemsOf(schema, 1)).toEqual([
      { path: '', message: expect.stringContaining('could not be checked') },
    ]);
  });

  test('that takes too long to compile is refused, and the next one compiles', async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 60_000 }, (_, index) => [`p${index}`, { type: 'object', minProperties: index }]),
    );
    expect(() => compileSchema({ properties }, FIELD)).toThrow(
      invalid(/takes longer than 500 ms to compile/),
    );
    expect(await problemsOf({ type: 'number' }, 'x')).toHaveLength(1);
  });
});

describe('schemas of two plugins', () => {
  test('may have the same `$id`, and each is its own', async () => {
    const $id = 'https://example.org/same';
    const [number, text] = [
      { $id, type: 'number' },
      { $id, type: 'string' },
    ].map((s) => compileSchema(s, FIELD));
    expect(await number?.(1)).toEqual([]);
    expect(await text?.('x')).toEqual([]);
    expect(await number?.('x')).toHaveLength(1);
  });

  test('may have the same `$id` below, and each is its own', async () => {
    const $id = 'https://example.org/inner';
    const number = compileSchema({ $defs: { n: { $id, type: 'number' } }, $ref: $id }, FIELD);
    const text = compileSchema(
      { $defs: { n: { type: 'null' }, t: { $id, type: 'string' } }, $ref: $id },
      FIELD,
    );
    expect(await number('x')).toHaveLength(1);
    expect(await text('x')).toEqual([]);
  });

  test('may be the same object', async () => {
    const schema = { type: 'number' };
    expect(await problemsOf(schema, 1)).toEqual([]);
    expect(await problemsOf(schema, 1)).toEqual([]);
  });

  test('cannot refer to each other', () => {
    compileSchema({ $id: 'https://example.org/first', $defs: { v: { $anchor: 'v' } } }, FIELD);
    const schema = { $ref: 'https://example.org/first' };
    expect(() => compileSchema(schema, FIELD)).toThrow(invalid(/can't resolve reference/));
  });
});

test('checks that overlap do not mix up their answers', async () => {
  const check = compileSchema({ properties: { n: { type: 'number' } } }, FIELD);
  const answers = await Promise.all([{ n: 1 }, { n: 'x' }, { n: 2 }].map(check));
  expect(answers.map((problems) => problems.length)).toEqual([0, 1, 0]);
});

// The last test of this file: if it fails, every schema after it does.
test('a schema cannot take the name of the meta-schema, nor take it away from the next schema', async () => {
  for (const part of ['meta/core', 'meta/validation', 'meta/applicator', 'schema']) {
    const $id = `https://json-schema.org/draft/2020-12/${part}`;
    expect(() => compileSchema({ $id, type: 'number' }, FIELD)).toThrow(invalid(/already exists/));
  }
  const below = { $defs: { below: { $id: META, type: 'null' } }, type: 'number' };
  expect(() => compileSchema(below, FIELD)).toThrow(invalid(/more than one schema/));
  expect(await problemsOf({ type: 'number' }, 1)).toEqual([]);
  expect(() => compileSchema({ type: 'strange' }, FIELD)).toThrow(invalid(/type/));
});
