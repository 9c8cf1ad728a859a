import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { type SchemaText, toSchemaText } from '../../src/schemas/schema-text.ts';
import { answerOf, inPieces, problemsOf } from './sample.ts';

const META = 'https://json-schema.org/draft/2020-12/schema';
const unusable = (message: RegExp, path: unknown = expect.any(String)) => ({
  kind: 'unusable',
  problems: [{ path, message: expect.stringMatching(message) }],
});
const undecided = (reason: RegExp) => ({ kind: 'undecided', reason: expect.stringMatching(reason) });

/** All branches of all branches fail: as many errors as their product, each with the same long name in it. */
const branching = (widths: readonly number[], name: string, more: object = {}) => ({
  $ref: '#/$defs/d0',
  $defs: {
    ...Object.fromEntries(
      widths.map((width, at) => [`d${at}`, { anyOf: Array(width).fill({ $ref: `#/$defs/d${at + 1}` }) }]),
    ),
    [`d${widths.length}`]: {
      required: [name],
      properties: { x: { $ref: `#/$defs/d${widths.length}` } },
    },
    ...more,
  },
});

describe('a value matches', () => {
  const list = { $defs: { node: { properties: { next: { $ref: '#/$defs/node' } }, required: ['v'] } } };

  test.each<[string, object, unknown]>([
    ['an empty schema, whatever it is', {}, 'x'],
    ['a key that every object has', { properties: { constructor: { type: 'number' } } }, {}],
    ['the format of a pattern, which nobody compiles', { format: 'regex' }, '('],
    ['keywords of draft 2020-12', { prefixItems: [{ type: 'number' }], items: false }, [1]],
    ['`unevaluatedProperties`', { properties: { a: {} }, unevaluatedProperties: false }, { a: 1 }],
    ['a format', { type: 'string', format: 'date-time' }, '2026-01-02T03:04:05Z'],
    ['a schema that names its draft', { $schema: META, type: 'number' }, 1],
    ['a schema with an `$id`', { $id: 'https://example.org/a', type: 'number' }, 1],
    ['a recursive schema', { ...list, $ref: '#/$defs/node' }, { v: 1, next: { v: 2, next: { v: 3 } } }],
    [
      'a list of schemas for the items of a list, in draft-07',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        items: [{ type: 'number' }],
        additionalItems: false,
      },
      [1],
    ],
    [
      'definitions of draft-06',
      {
        $schema: 'http://json-schema.org/draft-06/schema#',
        definitions: { n: { type: 'number', exclusiveMinimum: 0 } },
        $ref: '#/definitions/n',
      },
      1,
    ],
    [
      'a recursive reference of draft 2019-09',
      {
        $schema: 'https://json-schema.org/draft/2019-09/schema',
        properties: { next: { $recursiveRef: '#' } },
        unevaluatedProperties: false,
      },
      { next: { next: {} } },
    ],
    ['a price to the cent', { type: 'number', multipleOf: 0.01 }, 19.99],
    ['a tenth below zero', { multipleOf: 0.1 }, -0.3],
    ['a large number in steps of a small one', { multipleOf: 1e-8 }, 1e300],
    ['a very small number', { multipleOf: 5e-324 }, 1.5e-322],
    ['zero, in any steps', { multipleOf: 0.7 }, 0],
    ['an anchor', { $defs: { n: { $anchor: 'n', type: 'number' } }, $ref: '#n' }, 1],
  ])('%s', async (_title, schema, value) => {
    expect(await problemsOf(schema, value)).toEqual([]);
  });
});

describe('a value that does not match is reported with path and reason', () => {
  test.each<[string, object, unknown, string, ...string[]]>([
    ['at the top', { type: 'number' }, 'x', '', 'must be number, got "x"'],
    [
      'below',
      { properties: { a: { items: { type: 'string' } } } },
      { a: ['x', 1] },
      'a.1',
      'must be string, got 1',
    ],
    [
      'under a key with a slash',
      { properties: { 'a/b~c': { type: ['string', 'null'] } } },
      { 'a/b~c': [1] },
      'a/b~c',
      'must be string or null, got a list of 1',
    ],
    [
      'for none of a few values',
      { enum: ['C', 'F', null] },
      'K',
      '',
      'must be one of "C", "F", null, got "K"',
    ],
    ['for another constant', { const: 'a' }, 1, '', 'must be "a", got 1'],
    [
      'for a name of a key',
      { propertyNames: { maxLength: 1 } },
      { ab: 1 },
      '',
      'must NOT have more than 1 characters, got "ab"',
      'property name must be valid (`ab`)',
    ],
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
    [
      'in draft-07',
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        items: [{ type: 'number' }],
        additionalItems: false,
      },
      [1, 2],
      '',
      'must NOT have more than 1 items',
    ],
    ['for a part of a cent', { multipleOf: 0.01 }, 19.991, '', 'must be multiple of 0.01, got 19.991'],
    ['for a number between two steps', { multipleOf: 3 }, 10, '', 'must be multiple of 3, got 10'],
    ['for a number beyond 2^53', { multipleOf: 7 }, 1e22, '', 'must be multiple of 7, got 1e+22'],
    ['for a format', { type: 'string', format: 'email' }, 'x', '', 'must match format "email", got "x"'],
  ])('%s', async (_title, schema, value, path, ...messages) => {
    expect(await problemsOf(schema, value)).toEqual(messages.map((message) => ({ path, message })));
  });
});

describe('a schema is refused, with the path in it,', () => {
  test.each<[string, object, RegExp, string]>([
    ['that is invalid', { type: 'strange' }, /must be one of "array", "boolean".*got "strange"/, 'type'],
    [
      'that is invalid inside',
      { properties: { a: { minLength: -1 } } },
      /must be >= 0, got -1/,
      'properties.a.minLength',
    ],
    [
      'of a draft that is too old',
      { $schema: 'http://json-schema.org/draft-03/schema#', type: 'number' },
      /is "http:\/\/json-schema.org\/draft-03\/schema#"; known are .*draft-04.*2020-12/,
      '$schema',
    ],
    ['whose dialect is no text', { $schema: 7, type: 'number' }, /is 7; known are/, '$schema'],
    [
      'with `required` of draft-03',
      { properties: { a: { required: true } } },
      /draft-03.*names of its properties/,
      'properties.a.required',
    ],
    ['with the type "any"', { properties: { a: { type: 'any' } } }, /draft-03/, 'properties.a.type'],
    ['that is asynchronous', { $async: true, type: 'object' }, /\$async/, ''],
    ['that is asynchronous below', { properties: { a: { $async: true, type: 'number' } } }, /async/, ''],
    [
      'that refers to an asynchronous one',
      { $defs: { a: { $async: true, $id: 'a', type: 'number' } }, $ref: 'a' },
      /async/,
      '',
    ],
    [
      'that refers to the network',
      { $ref: 'https://example.org/schema.json' },
      /"https:\/\/example.org\/schema.json" leads nowhere in this schema, and nothing is fetched/,
      '$ref',
    ],
    [
      'that refers to the network below',
      { items: { anyOf: [true, { $ref: 'https://example.org/a#/b' }] } },
      /leads nowhere/,
      'items.anyOf[1].$ref',
    ],
    ['that refers to a file', { $ref: 'file:///etc/passwd' }, /leads nowhere/, '$ref'],
    ['that refers to nothing', { $ref: '#/$defs/missing' }, /leads nowhere/, '$ref'],
    [
      'that refers to itself relatively',
      { properties: { a: {}, b: { $ref: '1/a' } } },
      /leads nowhere/,
      'properties.b.$ref',
    ],
    ['with a pattern that is none', { type: 'string', pattern: '(' }, /regular expression/, 'pattern'],
    [
      'with a pattern for keys that is none',
      { patternProperties: { '(': {} } },
      /"\(" is no regular expression/,
      'patternProperties',
    ],
  ])('%s', async (_title, schema, message, path) => {
    expect(await answerOf(schema)).toEqual(unusable(message, path));
  });
});

test('unknown keywords are not checked', async () => {
  const schema = {
    minimun: 1,
    'x-order': 2,
    properties: { a: { type: 'string', format: 'strange', errorMessage: {} } },
  };
  expect(await problemsOf(schema, { a: 'x' })).toEqual([]);
  expect(await problemsOf(schema, { a: 1 })).toHaveLength(1);
});

test('values of a configuration, which may hold secrets, are not quoted', async () => {
  const checker = new SchemaChecker();
  const schema = toSchemaText(
    { properties: { key: { pattern: '^sk-' }, n: { enum: [1] } } },
    'config_schema',
  );
  const value = inPieces('{"key":"hunter2","n":42}');
  const checks = [{ schema: schema as SchemaText, value, quoting: 'kinds' as const }];
  const answers = await checker.check({ plugin: 'a', checks });
  expect(answers).toEqual([
    {
      kind: 'checked',
      problems: [{ path: 'key', message: 'must match pattern "^sk-", got a text of 7 characters' }],
    },
  ]);
  await checker.close();
});

describe('a hostile schema', () => {
  const CATASTROPHE = { type: 'string', pattern: '^(a+)+$' };
  const HOSTILE_VALUE = `${'a'.repeat(40)}!`;

  test('with a catastrophic pattern has no verdict, and does not block the event loop', async () => {
    let longestMs = 0;
    let lastTurn = performance.now();
    const clock = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastTurn);
      lastTurn = performance.now();
    }, 1);
    const startedAt = performance.now();
    const answer = await answerOf(CATASTROPHE, HOSTILE_VALUE);
    const tookMs = performance.now() - startedAt;
    clearInterval(clock);
    expect(answer).toEqual(undecided(/could not be checked within/));
    // A second by its deadline; the rest is for a busy machine.
    expect(tookMs).toBeLessThan(3_000);
    expect(longestMs).toBeLessThan(400);
  });

  test('with a catastrophic pattern does no harm to the next check', async () => {
    await answerOf(CATASTROPHE, HOSTILE_VALUE);
    expect(await problemsOf(CATASTROPHE, 'aaaa')).toEqual([]);
    expect(await problemsOf({ type: 'number' }, 1)).toEqual([]);
  });

  test.each<[string, object]>([
    ['to itself', { $ref: '#' }],
    ['in a circle', { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
    ['in a circle of anchors', { $dynamicAnchor: 'x', allOf: [{ $dynamicRef: '#x' }] }],
  ])('that refers %s has no verdict or is refused', async (_title, schema) => {
    const answer = await answerOf(schema, { a: 1 });
    expect(['undecided', 'unusable']).toContain(answer.kind);
  });

  test('that branches endlessly has no verdict', async () => {
    const branch = (depth: number): object =>
      depth === 0
        ? { not: {} }
        : { anyOf: [{ $ref: `#/$defs/d${depth - 1}` }, { $ref: `#/$defs/d${depth - 1}` }] };
    const levels = Array.from({ length: 40 }, (_, depth) => [`d${depth}`, branch(depth)]);
    const schema = { $defs: Object.fromEntries(levels), $ref: '#/$defs/d39' };
    expect(await answerOf(schema, 1)).toEqual(undecided(/could not be checked/));
  });

  test('that crashes ajv is refused in plain words', async () => {
    const names = (count: number, value: object) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, value]));
    const wide = { $defs: { wide: { properties: names(50, { type: 'string' }) } } };
    const schema = { ...wide, properties: names(3_000, { $ref: '#/$defs/wide' }) };
    expect(await answerOf(schema)).toEqual(unusable(/too deeply or too often .* write it flatter/));
  });

  test('that takes too long to compile is refused, and the next one compiles', async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 60_000 }, (_, index) => [`p${index}`, { type: 'object', minProperties: index }]),
    );
    const { kind, ...why } = await answerOf({ properties });
    expect(kind).not.toBe('checked');
    expect(why).toEqual({
      reason: expect.stringMatching(/takes longer than 1000 ms to compile|of code|within 1000 ms/),
    });
    expect(await problemsOf({ type: 'number' }, 'x')).toHaveLength(1);
  });

  test('that refers to one large part many times is not copied as often', async () => {
    const large = {
      properties: Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`p${at}`, { minimum: at }])),
    };
    const allOf = Array(300).fill({ $ref: '#/$defs/large' });
    expect(await problemsOf({ $defs: { large }, allOf }, { p9: 1 })).toHaveLength(1);
  });

  test.each<[string, object, unknown]>([
    ['20,000 errors', branching([100, 200], 'n'), {}],
    ['long names', branching([60, 100], 'n'.repeat(50_000)), {}],
    ['long names, and a pattern', branching([60, 100], 'n'.repeat(50_000), { p: { pattern: 'x' } }), {}],
    ['names of control characters', branching([60, 100], '\u0001'.repeat(9_000)), {}],
    ['a long key of the value', { additionalProperties: false }, { ['k'.repeat(1_000_000)]: 1 }],
    ['a long path', { additionalProperties: { type: 'null' } }, { ['k'.repeat(1_000_000)]: 1 }],
    ['a long pattern', { pattern: `^${'a'.repeat(5_000)}$` }, 'x'],
    [
      'long names that depend on another',
      {
        dependentRequired: {
          a: Array(60)
            .fill(0)
            .map((_, at) => `${'n'.repeat(20)}${at}`),
        },
      },
      { a: 1 },
    ],
    ['long names of properties', { propertyNames: { maxLength: 3 } }, { ['k'.repeat(100_000)]: 1 }],
    ['large constants', { const: { a: 'x'.repeat(60_000) } }, 1],
    ['many allowed values', { enum: Array.from({ length: 5_000 }, (_, at) => `value ${at}`) }, 1],
    ['unevaluated keys', { unevaluatedProperties: false }, { ['k'.repeat(1_000_000)]: 1 }],
  ])('cannot make an endless text of %s', async (_title, schema, value) => {
    const problems = await problemsOf(schema, value);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(21);
    for (const { path, message } of problems) {
      expect(path.length).toBeLessThan(260);
      expect(message.length).toBeLessThan(560);
    }
  });

  test('has its further problems counted', async () => {
    const problems = await problemsOf(branching([30, 40], 'n'), {});
    // Each branch, each list of branches, and the list of those.
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toEqual({ path: '', message: 'and 1211 more problems' });
  });

  test.each<[string, object]>([
    ['a reference', { $ref: 'x\n✔ forged' }],
    ['a name of a property', { properties: { 'a\u001b[2J\n✔ forged': { minimum: 'x' } } }],
    ['a dialect', { $schema: 'x\u2028✔ forged' }],
  ])('cannot start a new line by %s', async (_title, schema) => {
    const answer = await answerOf(schema);
    expect(JSON.stringify(answer)).toContain('forged');
    const problems = 'problems' in answer ? answer.problems : [];
    for (const { path, message } of problems) expect(path + message).not.toMatch(/[\p{Cc}\u2028]/u);
  });

  test('cannot start a new line by a value', async () => {
    const schema = { additionalProperties: { type: 'null' }, propertyNames: { maxLength: 2 } };
    const problems = await problemsOf(schema, { 'a\n✔ forged\u202e\u2800': 1 });
    for (const { path, message } of problems) expect(path + message).not.toMatch(/[\n\u202e\u2800]/);
  });

  test('that uses much memory ends its process, and the next check gets a new one', async () => {
    const checker = new SchemaChecker();
    const schema = { items: { type: 'object' } };
    const json = `[${Array(5_000_000).fill('{}').join(',')}]`;
    const big = await answerOf(schema, JSON.parse(json), { checker });
    expect(big).toEqual(undecided(/could not be checked/));
    expect(await answerOf({ type: 'number' }, 1, { checker, plugin: 'other' })).toEqual({
      kind: 'checked',
      problems: [],
    });
    await checker.close();
  });
});

describe('a plugin whose checks take long', () => {
  const SLOW = branching([100, 100, 100, 100], 'n');

  test('does not delay the checks of others', async () => {
    const checker = new SchemaChecker();
    const slow = Promise.all(
      Array.from({ length: 20 }, () => answerOf(SLOW, {}, { checker, plugin: 'slow' })),
    );
    await delay(600);
    const times: number[] = [];
    for (let call = 0; call < 20; call++) {
      const startedAt = performance.now();
      expect(await answerOf({ type: 'number' }, 1, { checker, plugin: `honest-${call}` })).toMatchObject({
        kind: 'checked',
      });
      times.push(performance.now() - startedAt);
    }
    times.sort((a, b) => a - b);
    expect(times[10]).toBeLessThan(100);
    // And none of its own waits for ever.
    expect(await slow).toEqual(Array(20).fill(undecided(/could not be checked within (1000|5000) ms/)));
    await checker.close();
  });

  test('is not delayed once its checks are quick again', async () => {
    const checker = new SchemaChecker();
    await answerOf(SLOW, {}, { checker });
    expect(await answerOf({ type: 'number' }, 'x', { checker })).toMatchObject({
      problems: [{ message: 'must be number, got "x"' }],
    });
    await checker.close();
  });
});

describe('a caller that waits for a check', () => {
  test('is answered at once when it aborts, queued or not', async () => {
    const checker = new SchemaChecker();
    const slow = branching([100, 100, 100, 100], 'n');
    const signal = AbortSignal.timeout(50);
    const startedAt = performance.now();
    const both = [1, 2].map(() => answerOf(slow, {}, { checker, signal }));
    for (const answer of both) await expect(answer).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(performance.now() - startedAt).toBeLessThan(500);
    await checker.close();
  });

  test('is answered when the checker is closed', async () => {
    const checker = new SchemaChecker();
    await checker.close();
    expect(await answerOf({ type: 'number' }, 1, { checker })).toMatchObject({ kind: 'unavailable' });
    await checker.close();
  });

  test('causes no process for a schema that accepts anything', async () => {
    const checker = new SchemaChecker();
    expect(await answerOf({}, 1, { checker })).toEqual({ kind: 'checked', problems: [] });
    expect(await checker.check({ plugin: 'a', checks: [] })).toEqual([]);
    await checker.close();
  });
});

describe('schemas of two plugins', () => {
  test('can have the same `$id` and stay separate', async () => {
    const $id = 'https://example.org/same';
    const [number, text] = [
      { $id, type: 'number' },
      { $id, type: 'string' },
    ];
    expect(await problemsOf(number, 1)).toEqual([]);
    expect(await problemsOf(text, 'x')).toEqual([]);
    expect(await problemsOf(number, 'x')).toHaveLength(1);
  });

  test('can have the same inner `$id` and stay separate', async () => {
    const $id = 'https://example.org/inner';
    const number = { $defs: { n: { $id, type: 'number' } }, $ref: $id };
    const text = { $defs: { n: { type: 'null' }, t: { $id, type: 'string' } }, $ref: $id };
    expect(await problemsOf(number, 'x')).toHaveLength(1);
    expect(await problemsOf(text, 'x')).toEqual([]);
  });

  test('can be the same object', async () => {
    const schema = { type: 'number' };
    expect(await problemsOf(schema, 1)).toEqual([]);
    expect(await problemsOf(schema, 1)).toEqual([]);
  });

  test('cannot refer to each other', async () => {
    await answerOf({ $id: 'https://example.org/first', $defs: { v: { $anchor: 'v' } } });
    const schema = { $ref: 'https://example.org/first' };
    expect(await answerOf(schema)).toEqual(unusable(/leads nowhere/));
  });
});

test('overlapping checks do not mix up their answers', async () => {
  const schema = { properties: { n: { type: 'number' } } };
  const answers = await Promise.all(
    [{ n: 1 }, { n: 'x' }, { n: 2 }].map((value) => problemsOf(schema, value)),
  );
  expect(answers.map((problems) => problems.length)).toEqual([0, 1, 0]);
});

// The last test of this file: if it fails, every schema after it does.
test('a schema cannot replace the meta-schema for itself or the next schema', async () => {
  for (const part of ['meta/core', 'meta/validation', 'meta/applicator', 'schema']) {
    const $id = `https://json-schema.org/draft/2020-12/${part}`;
    expect(await answerOf({ $id, type: 'number' })).toEqual(unusable(/already exists/));
  }
  const below = { $defs: { below: { $id: META, type: 'null' } }, type: 'number' };
  expect(await answerOf(below)).toEqual(unusable(/more than one schema/));
  expect(await problemsOf({ type: 'number' }, 1)).toEqual([]);
  expect(await answerOf({ type: 'strange' })).toEqual(unusable(/must be one of/, 'type'));
});
