import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import draft04 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { ANNOTATION_FORMS } from '../../src/schemas/annotations.ts';
import { FORMATS, KEYWORDS } from '../../src/schemas/dialects.ts';
import { describeIgnored } from '../../src/schemas/ignored.ts';

const DRAFT_07 = 'http://json-schema.org/draft-07/schema#';
const BEGIN = 'Not checked, because these keywords and formats of JSON Schema are not known: ';

describe('the unchecked parts of a schema are reported in one sentence', () => {
  test.each<[string, object, string]>([
    [
      'a keyword, and what it may have meant',
      { minimun: 1 },
      '`input_schema.minimun` (did you mean `minimum`?)',
    ],
    [
      'keywords of one’s own',
      { 'x-order': 1, properties: { a: { markdownDescription: '' } } },
      '`input_schema.x-order`, `input_schema.properties.a.markdownDescription`',
    ],
    [
      'a format',
      { items: { anyOf: [{ format: 'phone' }] } },
      '`input_schema.items.anyOf[0].format` ("phone")',
    ],
    ['a keyword of a later draft', { $schema: DRAFT_07, prefixItems: [] }, '`input_schema.prefixItems`'],
    ['a keyword of an earlier draft', { additionalItems: false }, '`input_schema.additionalItems`'],
    ['an annotation in another form', { examples: { a: 1 } }, '`input_schema.examples` (expected a list)'],
    [
      'what a reference leads to',
      { $ref: '#/parts/a', parts: { a: { colour: 'red' } } },
      '`input_schema.parts`, `input_schema.parts.a.colour`',
    ],
    [
      'what could steer a terminal',
      { 'x\n✔ forged': 1, format: 'x\u2028✔ forged' },
      '`input_schema.x\\u000a✔ forged`, `input_schema.format` ("x\\u2028\\u2714 forged")',
    ],
  ])('%s', (_title, schema, told) => {
    expect(describeIgnored({ input_schema: schema })).toBe(`${BEGIN}${told}.`);
  });

  test('of all schemas of a plugin together, ten by name', () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`x-${at}`, at]));
    const told = describeIgnored({ input_schema: many, config_schema: { a: 1, b: 2, c: 3 } });
    expect(told).toMatch(/`input_schema\.x-8`, `config_schema\.a` and 2 more\.$/);
  });

  test('shortly and quickly, however many there are', () => {
    const many = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, at) => [`minimun${'x'.repeat(20)}${at}`, at]),
    );
    const startedAt = performance.now();
    expect(describeIgnored({ input_schema: many })?.length).toBeLessThan(2_000);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

test.each<[string, object]>([
  [
    'what every reader knows',
    {
      $schema: DRAFT_07,
      title: '',
      default: 1,
      examples: [],
      $comment: '',
      properties: { a: { deprecated: true, format: 'email', readOnly: true } },
    },
  ],
  [
    'names of properties, and values',
    {
      properties: { colour: {} },
      $defs: { size: {} },
      const: { colour: 1 },
      enum: [{ size: 1 }],
      default: { x: 1 },
      dependencies: { colour: ['size'] },
    },
  ],
  ['lists of `items`, which say that it is 2019-09', { items: [{}], additionalItems: false }],
  ['a dialect that is refused', { $schema: 'x', colour: 1 }],
])('nothing is reported for %s', (_title, schema) => {
  expect(describeIgnored({ input_schema: schema })).toBeNull();
});

test.each([
  ['draft-04', draft04.default],
  ['draft-07', Ajv],
  ['2019-09', Ajv2019],
  ['2020-12', Ajv2020],
] as const)('the known keywords of %s are those of ajv and annotations', (dialect, Class) => {
  const ajv = new Class();
  addFormats.default(ajv);
  const { all, keywords } = ajv.RULES;
  const obeyed = new Set([...Object.keys(all), ...Object.keys(keywords), '$anchor']);
  const known = [...KEYWORDS[dialect]];
  expect(
    known.filter((key) => !obeyed.has(key) && !ANNOTATION_FORMS.has(key) && key !== 'contentSchema'),
  ).toEqual([]);
  expect([...obeyed].filter((key) => !KEYWORDS[dialect].has(key))).toEqual(
    // `id` is refused by ajv, and unknown since draft-06.
    [dialect === 'draft-04' ? '$anchor' : 'id'],
  );
  expect(new Set(Object.keys(ajv.formats))).toEqual(FORMATS);
});
