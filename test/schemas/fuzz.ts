import fc from 'fast-check';
import { expect } from 'vitest';
import type { Answer } from '../../src/schemas/messages.ts';
import type { SchemaChecker } from '../../src/schemas/schema-checker.ts';
import { answerOf } from './sample.ts';

/** What one case may cost: a try in each process, with the time to start and to end them on a busy machine. */
const BUDGET_MS = 8_000;
const BUDGET_CHARS = 60_000;

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'x') },
  fc.constantFrom('constructor', '__proto__', 'toString', '', '~1/~0', 'errors', 'vErrors = [err0]'),
  fc.constantFrom('\n✔ forged', '\u001b[2J', '\u2028', '\u2800', '"; process.exit(); "'),
  fc.nat(40_000).map((length) => 'n'.repeat(length)),
);

const pattern = fc.constantFrom(
  '^(a+)+$',
  '(a|aa)+$',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  '(?:a?){50}a{50}',
  '(.*)(.*)(.*)(.*)(.*)(.*)x$',
  '\\p{L}+',
  '(',
  `(?:${'a?'.repeat(2_000)}){20}`,
  '((a{1,100}){1,100}){1,100}',
);

const ref = fc.constantFrom(
  '#',
  '#/$defs/a',
  '#/$defs/b',
  '#/$defs/c',
  '#anchor',
  'https://example.org/x',
  '#/$defs',
);

/** Schemas as an attacker writes them: applicators in applicators, branches without end, references in circles. */
const schema: fc.Arbitrary<object> = fc.letrec<{ schema: object; list: object[]; map: object }>((tie) => ({
  list: fc.oneof(
    fc.array(tie('schema'), { maxLength: 4 }),
    // The same again and again: a product of branches by a short text.
    fc
      .tuple(tie('schema'), fc.constantFrom(2, 30, 300))
      .map(([one, times]) => Array<object>(times).fill(one)),
  ),
  map: fc.array(fc.tuple(name, tie('schema')), { maxLength: 4 }).map((entries) => {
    const made: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [key, value] of entries) made[key] = value;
    return made;
  }),
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant({}),
    fc.constantFrom('object', 'array', 'number', 'strange').map((type) => ({ type })),
    ref.map(($ref) => ({ $ref })),
    ref.map(($dynamicRef) => ({ $dynamicRef })),
    pattern.map((text) => ({ pattern: text })),
    fc.array(name, { maxLength: 3 }).map((required) => ({ required })),
    fc.jsonValue({ maxDepth: 2 }).map((value) => ({ const: value })),
    fc.array(name, { maxLength: 30 }).map((all) => ({ enum: all })),
    fc.constantFrom('regex', 'email', 'uri', 'date-time', 'idn-email', 'byte').map((format) => ({ format })),
    fc.record({ $id: name, $anchor: fc.constant('anchor') }, { requiredKeys: [] }),
    fc.constantFrom({ uniqueItems: true }, { unevaluatedProperties: false }, { unevaluatedItems: false }),
    fc.tuple(name, fc.jsonValue()).map(([key, value]) => ({ [key]: value })),
    fc
      .tuple(fc.constantFrom('anyOf', 'oneOf', 'allOf', 'prefixItems'), tie('list'))
      .map(([key, all]) => ({ [key]: all })),
    fc
      .tuple(
        fc.constantFrom('not', 'items', 'contains', 'propertyNames', 'additionalProperties', 'if', 'then'),
        tie('schema'),
      )
      .map(([key, one]) => ({ [key]: one })),
    fc
      .tuple(fc.constantFrom('properties', 'dependentSchemas'), tie('map'))
      .map(([key, map]) => ({ [key]: map })),
    fc.tuple(pattern, tie('schema')).map(([key, one]) => ({ patternProperties: { [key]: one } })),
  ),
})).schema;

const hostileSchema = fc
  .record({ root: schema, a: schema, b: schema, c: schema })
  .map(({ root, ...$defs }) => ({ ...root, $defs }));

const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.nat(60).map((length) => `${'a'.repeat(length)}!`),
  fc.nat(20_000).map((length) => Array.from({ length }, (_, index) => ({ index }))),
  fc
    .nat(60)
    .map((depth) => Array.from({ length: depth }).reduce<unknown>((inner) => ({ a: inner, b: [inner] }), 1))
    .filter(isSmall),
  fc
    .array(fc.tuple(name, fc.jsonValue({ maxDepth: 1 })), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries)),
);

/** Each level holds the one below twice. */
function isSmall(value: unknown): boolean {
  let depth = 0;
  for (let inner = value; typeof inner === 'object' && inner !== null; inner = (inner as { a: unknown }).a)
    depth++;
  return depth < 14;
}

/** Hostile schemas and values, each within its budget of time, memory and text; an honest check comes between them. */
export async function fuzzSchemas(checker: SchemaChecker, numRuns: number): Promise<void> {
  const before = process.memoryUsage().rss;
  let plugin = 0;
  await fc.assert(
    fc.asyncProperty(hostileSchema, hostileValue, async (hostile, value) => {
      const startedAt = performance.now();
      const answer = await answerOf(hostile, value, { checker, plugin: `hostile-${plugin++ % 5}` });
      expect(performance.now() - startedAt).toBeLessThan(BUDGET_MS);
      assertHarmless(answer);
      const honest = { type: 'object', properties: { n: { type: 'number' } } };
      expect(await answerOf(honest, { n: 'x' }, { checker, plugin: 'honest' })).toEqual({
        kind: 'checked',
        problems: [{ path: 'n', message: 'must be number, got "x"' }],
      });
    }),
    { numRuns, endOnFailure: true },
  );
  // Whatever a case needed was not taken here, but for what the test itself makes of them.
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
}

function assertHarmless(answer: Answer): void {
  expect(['checked', 'unusable', 'undecided']).toContain(answer.kind);
  const text = JSON.stringify(answer);
  expect(text.length).toBeLessThan(BUDGET_CHARS);
  // Escaped by JSON would be a character that came through.
  expect(text).not.toMatch(/(?<!\\)\\[nrt]|(?<!\\)\\u00[01]|[\u2028\u2800]/);
}
