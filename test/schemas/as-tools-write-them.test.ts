import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { answerOf, problemsOf } from './sample.ts';

interface Case {
  readonly schema: object;
  readonly fits: readonly unknown[];
  readonly misfits: readonly unknown[];
}

const DRAFT_04 = 'http://json-schema.org/draft-04/schema#';
const DRAFT_07 = 'http://json-schema.org/draft-07/schema#';

async function expectJudged({ schema, fits, misfits }: Case): Promise<void> {
  for (const value of fits)
    expect({ value, problems: await problemsOf(schema, value) }).toEqual({ value, problems: [] });
  for (const value of misfits)
    expect({ value, problems: await problemsOf(schema, value) }).not.toEqual({ value, problems: [] });
}

const Tree = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree).optional();
  },
});
const Order = z.object({
  kind: z.literal('order'),
  price: z.number().multipleOf(0.01).gt(0),
  note: z.string().nullable(),
  place: z
    .discriminatedUnion('in', [
      z.object({ in: z.literal('shop') }),
      z.object({ in: z.literal('web'), url: z.url() }),
    ])
    .nullable(),
  tree: Tree.nullable(),
  size: z.enum(['S', 'L']).nullable(),
  at: z.iso.time(),
  on: z.iso.datetime({ local: true }),
  token: z.base64url(),
});
const GOOD_ORDER = {
  kind: 'order',
  price: 19.99,
  note: null,
  place: null,
  tree: null,
  size: null,
  at: '12:30:00',
  on: '2026-01-02T03:04:05',
  token: 'aGk',
};

describe('schemas of zod', () => {
  test.each(['draft-04', 'draft-07', 'draft-2020-12', 'openapi-3.0'] as const)('in %s', (target) =>
    expectJudged({
      schema: z.toJSONSchema(Order, { target }),
      fits: [
        GOOD_ORDER,
        { ...GOOD_ORDER, note: 'x', size: 'L', place: { in: 'web', url: 'https://example.org/' } },
        { ...GOOD_ORDER, tree: { name: 'a', children: [{ name: 'b' }] }, on: '2026-01-02T03:04:05Z' },
      ],
      misfits: [
        { ...GOOD_ORDER, price: 0 },
        { ...GOOD_ORDER, price: 19.991 },
        { ...GOOD_ORDER, place: { in: 'web' } },
        { ...GOOD_ORDER, tree: { name: 'a', children: [{}] } },
        { ...GOOD_ORDER, size: 'M' },
        { ...GOOD_ORDER, at: 'noon' },
      ],
    }),
  );
});

describe('a schema of another tool means what its authors mean', () => {
  test.each<[string, Case]>([
    [
      'TypeBox: a tuple and a recursive type',
      {
        schema: {
          $id: 'Node',
          type: 'object',
          required: ['id', 'at', 'nodes'],
          properties: {
            id: { type: 'string' },
            at: {
              type: 'array',
              items: [{ type: 'number' }, { type: 'number' }],
              additionalItems: false,
              minItems: 2,
              maxItems: 2,
            },
            nodes: { type: 'array', items: { $ref: 'Node' } },
          },
        },
        fits: [{ id: 'a', at: [1, 2], nodes: [{ id: 'b', at: [3, 4], nodes: [] }] }],
        misfits: [
          { id: 'a', at: [1, 'x'], nodes: [] },
          { id: 'a', at: [1, 2, 3], nodes: [] },
          { id: 'a', at: [1, 2], nodes: [{}] },
        ],
      },
    ],
    [
      'TypeBox: a module of types',
      {
        schema: {
          $defs: {
            A: { $id: 'A', type: 'object', properties: { b: { $ref: 'B' } } },
            B: { $id: 'B', type: 'number' },
          },
          $ref: 'A',
        },
        fits: [{ b: 1 }],
        misfits: [{ b: 'x' }],
      },
    ],
    [
      'zod-to-json-schema: definitions, and references from the root',
      {
        schema: {
          $schema: DRAFT_07,
          $ref: '#/definitions/input',
          definitions: {
            input: {
              type: 'object',
              properties: {
                from: { type: 'string', minLength: 3 },
                to: { $ref: '#/definitions/input/properties/from' },
              },
              required: ['from', 'to'],
              additionalProperties: false,
            },
          },
        },
        fits: [{ from: 'abc', to: 'def' }],
        misfits: [{ from: 'abc', to: 'd' }],
      },
    ],
    [
      'zod-to-json-schema: for OpenAPI 3.0',
      {
        schema: {
          type: 'object',
          properties: {
            n: {
              type: 'number',
              minimum: 0,
              exclusiveMinimum: true,
              maximum: 10,
              exclusiveMaximum: false,
              nullable: true,
            },
            who: { allOf: [{ $ref: '#/definitions/who' }], nullable: true },
            again: { $ref: '#/definitions/who', nullable: true },
            both: { oneOf: [{ type: 'string' }, { type: 'number', nullable: true }], nullable: true },
            one: { const: 1, nullable: true },
            no: { type: 'string', nullable: false },
          },
          definitions: { who: { type: 'object', required: ['id'] } },
        },
        fits: [
          { n: 10 },
          { n: null, who: null, again: null, both: null, one: null },
          { one: 1, who: { id: 1 } },
        ],
        misfits: [{ n: 0 }, { n: 11 }, { who: {} }, { again: {} }, { both: true }, { one: 2 }, { no: null }],
      },
    ],
    [
      'typescript-json-schema: names of generic types, and keywords of its own',
      {
        schema: {
          $schema: DRAFT_07,
          definitions: {
            'Page<Item>': {
              type: 'object',
              defaultProperties: [],
              properties: { items: { type: 'array', items: { $ref: '#/definitions/Partial%3CItem%3E' } } },
            },
            'Partial<Item>': { type: 'object', properties: { n: { type: 'number' } } },
          },
          $ref: '#/definitions/Page<Item>',
        },
        fits: [{ items: [{ n: 1 }] }],
        misfits: [{ items: [{ n: 'x' }] }],
      },
    ],
    [
      'Pydantic: optional fields and constants',
      {
        schema: {
          $defs: {
            Color: { enum: ['red', 'green'], title: 'Color', type: 'string' },
            Leaf: {
              properties: { v: { default: 1, exclusiveMinimum: 0, title: 'V', type: 'integer' } },
              title: 'Leaf',
              type: 'object',
            },
          },
          properties: {
            q: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, title: 'Q' },
            color: { $ref: '#/$defs/Color', default: 'red', description: 'Which' },
            leaf: { anyOf: [{ $ref: '#/$defs/Leaf' }, { type: 'null' }], default: null },
            pair: {
              maxItems: 2,
              minItems: 2,
              prefixItems: [{ type: 'integer' }, { type: 'string' }],
              title: 'Pair',
              type: 'array',
            },
            kind: { const: 'a', title: 'Kind', type: 'string' },
            price: {
              anyOf: [{ type: 'number' }, { pattern: '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$', type: 'string' }],
            },
          },
          required: ['pair'],
          title: 'Args',
          type: 'object',
        },
        fits: [
          { pair: [1, 'a'] },
          { pair: [1, 'a'], q: null, leaf: { v: 2 }, color: 'green', kind: 'a', price: '1.5' },
        ],
        misfits: [
          {},
          { pair: ['a', 1] },
          { pair: [1, 'a'], color: 'blue' },
          { pair: [1, 'a'], leaf: { v: 0 } },
          { pair: [1, 'a'], price: 'x' },
        ],
      },
    ],
    [
      'MCP: the input of a tool',
      {
        schema: {
          $schema: DRAFT_07,
          type: 'object',
          properties: {
            path: { type: 'string' },
            edits: {
              type: 'array',
              items: {
                type: 'object',
                properties: { oldText: { type: 'string' } },
                required: ['oldText'],
                additionalProperties: false,
              },
            },
            dryRun: { type: 'boolean', default: false },
          },
          required: ['path', 'edits'],
          additionalProperties: false,
        },
        fits: [{ path: '/a', edits: [{ oldText: 'x' }] }],
        misfits: [{ path: '/a' }, { path: '/a', edits: [{}] }, { path: '/a', edits: [], more: 1 }],
      },
    ],
    [
      'OpenAPI: schemas among components, with annotations',
      {
        schema: {
          $schema: 'https://spec.openapis.org/oas/3.1/dialect/base',
          oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }],
          discriminator: { propertyName: 'kind', mapping: { cat: '#/components/schemas/Cat' } },
          components: {
            schemas: {
              Cat: {
                type: 'object',
                required: ['kind'],
                properties: {
                  kind: { const: 'cat' },
                  age: {
                    type: 'integer',
                    format: 'int32',
                    minimum: 0,
                    exclusiveMinimum: true,
                    nullable: true,
                    example: 3,
                  },
                },
              },
              Dog: {
                type: 'object',
                required: ['kind'],
                properties: { kind: { const: 'dog' } },
                xml: { name: 'dog' },
                externalDocs: { url: 'https://example.org' },
              },
            },
          },
        },
        fits: [{ kind: 'cat', age: 1 }, { kind: 'cat', age: null }, { kind: 'dog' }],
        misfits: [{ kind: 'cow' }, { kind: 'cat', age: 0 }, { kind: 'cat', age: 3_000_000_000 }],
      },
    ],
    [
      'draft-04: identifiers and exclusive limits',
      {
        schema: {
          $schema: DRAFT_04,
          id: 'http://example.org/root.json',
          type: 'object',
          required: [],
          properties: {
            n: { type: 'number', minimum: 0, exclusiveMinimum: true },
            m: { $ref: '#/definitions/m' },
            k: { $ref: 'item.json' },
            step: { multipleOf: 0.01 },
          },
          definitions: { m: { type: ['string', 'null'] }, k: { id: 'item.json', enum: [1, 2] } },
        },
        fits: [{ n: 0.1, m: null, k: 1, step: 19.99 }],
        misfits: [{ n: 0 }, { m: 1 }, { k: 3 }, { step: 0.001 }],
      },
    ],
    [
      'a generator that writes where each schema stands as its `$id`',
      {
        schema: {
          $schema: DRAFT_07,
          $id: 'http://example.com/root.json',
          type: 'object',
          properties: {
            checked: {
              $id: '#/properties/checked',
              type: 'boolean',
              title: 'Checked',
              default: false,
              examples: [false],
            },
          },
        },
        fits: [{ checked: true }],
        misfits: [{ checked: 1 }],
      },
    ],
    [
      'serializers: objects of PHP, and null for what is not there',
      {
        schema: {
          type: 'object',
          required: [],
          properties: {
            any: [],
            inner: { type: 'object', properties: [], additionalProperties: false },
            text: { type: 'string', enum: null, format: null, pattern: null, items: null, default: null },
          },
        },
        fits: [{}, { any: 1, inner: {}, text: 'x' }],
        misfits: [{ inner: { a: 1 } }, { text: 1 }],
      },
    ],
    [
      'what stands there twice, and limits of a later draft',
      {
        schema: {
          $schema: DRAFT_04,
          required: ['a', 'a'],
          properties: {
            a: { enum: [1, 2, 1] },
            b: { type: ['string', 'string'] },
            c: { exclusiveMinimum: 0 },
          },
        },
        fits: [{ a: 2, b: 'x', c: 1 }],
        misfits: [{}, { a: 3 }, { a: 1, b: 1 }, { a: 1, c: 0 }],
      },
    ],
    [
      'Go: a root that is an identifier and a reference',
      {
        schema: {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          $id: 'https://example.org/a/b',
          $ref: '#/$defs/Foo',
          $defs: { Foo: { properties: { bar: { $ref: '#/$defs/Bar' } } }, Bar: { type: 'number' } },
        },
        fits: [{ bar: 1 }],
        misfits: [{ bar: 'x' }],
      },
    ],
    [
      'names that are no part of an address, and anchors of draft-07',
      {
        schema: {
          definitions: { 'My Größe': { type: 'number' }, f: { $id: '#f', type: 'string' } },
          properties: { a: { $ref: '#/definitions/My Größe' }, b: { $ref: '#f' } },
        },
        fits: [{ a: 1, b: 'x' }],
        misfits: [{ a: 'x' }, { b: 1 }],
      },
    ],
    [
      'annotations in forms of their own',
      {
        schema: {
          type: 'number',
          description: null,
          examples: { one: { value: 1 } },
          deprecated: 'since 2',
          title: ['a'],
          readOnly: 'no',
        },
        fits: [1],
        misfits: ['x'],
      },
    ],
    [
      'unions of types, and keywords for one of them',
      {
        schema: { type: ['string', 'null', 'array'], minLength: 2, minItems: 1 },
        fits: ['ab', null, [1]],
        misfits: ['a', [], 1],
      },
    ],
    [
      'names that are no types, required without properties, and booleans',
      {
        schema: { required: ['a'], properties: { a: true, b: false } },
        fits: [{ a: 1 }],
        misfits: [{}, { a: 1, b: 1 }],
      },
    ],
    [
      'a dynamic reference',
      {
        schema: {
          $id: 'https://example.org/strict-tree',
          $dynamicAnchor: 'node',
          $ref: 'tree',
          unevaluatedProperties: false,
          $defs: {
            tree: {
              $id: 'https://example.org/tree',
              $dynamicAnchor: 'node',
              type: 'object',
              properties: { data: true, children: { type: 'array', items: { $dynamicRef: '#node' } } },
            },
          },
        },
        fits: [{ children: [{ data: 1 }] }],
        misfits: [{ children: [{ daat: 1 }] }],
      },
    ],
  ])('%s', (_title, each) => expectJudged(each));

  test('defaults are not applied', async () => {
    const schema = { type: 'object', properties: { a: { type: 'number', default: 1 } }, required: ['a'] };
    expect(await problemsOf(schema, {})).toEqual([{ path: '', message: "must have required property 'a'" }]);
  });
});

describe('the draft of a schema is read from `$schema`', () => {
  test.each([
    'http://json-schema.org/draft-04/schema#',
    'https://json-schema.org/draft-04/schema',
    'http://json-schema.org/draft-06/schema',
    'https://json-schema.org/draft-07/schema#',
    'http://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema#',
  ])('%s', async ($schema) => {
    expect(await problemsOf({ $schema, type: 'number' }, 'x')).toHaveLength(1);
    expect(await problemsOf({ $schema, type: 'number' }, 1)).toEqual([]);
  });
});

describe('patterns of a schema', () => {
  test.each<[string, string, string, string]>([
    ['with letters of any language', '^\\p{L}+$', 'straße', '1'],
    ['with escapes that do nothing', '^[\\w\\.\\-\\_]+\\@[a-z]+\\-x\\:$', 'a-b@c-x:', 'a b@c-x:'],
    ['with such escapes beside letters of any language', '^\\@\\p{L}$', '@é', '@1'],
    ['with a class before a hyphen', '^[\\w-.]+$', 'a-.', 'a b'],
    ['with a brace that opens nothing', '^a{,2}$', 'a{,2}', 'aa'],
    ['with characters beyond the first plane', '^.$', '😀', 'ab'],
  ])('%s', (_title, pattern, good, bad) =>
    expectJudged({
      schema: { pattern, patternProperties: { [pattern]: true } },
      fits: [good, { [good]: 1 }],
      misfits: [bad],
    }),
  );

  test.each(['^\\Aabc\\Z$', '(?P<year>\\d+)', '(?i)abc', '('])(
    'of another language are refused: %s',
    async (pattern) => {
      expect(await answerOf({ properties: { a: { pattern } } })).toEqual({
        kind: 'unusable',
        problems: [
          {
            path: 'properties.a.pattern',
            message: expect.stringContaining('is no regular expression of JavaScript'),
          },
        ],
      });
    },
  );
});

describe('`multipleOf` is exact in decimal digits', () => {
  test.each([
    [0.1, [0.3, 1.1, -0.7, 1e21], [0.35]],
    [0.01, [0.07, 19.99, 4.35, 1.1, 8.41], [19.999]],
    [1e-8, [0.00000001, 1.23456789, 1e15], [1e-9]],
    [0.25, [1e300, 0.75], [0.3]],
    [2, [9_007_199_254_740_992], [3]],
  ])('of %s', (multipleOf, fits, misfits) => expectJudged({ schema: { multipleOf }, fits, misfits }));
});
