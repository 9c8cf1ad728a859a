import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonFault, joinPath, parseJson } from '../src/json.ts';

describe('parseJson', () => {
  test('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 4 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(text)).toEqual(expectedReading(text));
      }),
    );
  });

  test('finds a key that stands twice, at whatever depth and however it is written', () => {
    fc.assert(
      fc.property(treeArbitrary(), (tree) => {
        const reading = parseJson(toText(tree));
        const duplicates = reading.ok
          ? []
          : reading.faults.filter((fault) => fault.reason === 'duplicate_key');
        expect(duplicates.length > 0).toBe(hasDuplicate(tree));
      }),
    );
  });

  test('never throws and never accepts what JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '"a"',
      '1',
      'null',
      ' ',
      '\n',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const text = parts.join('');
        if (parseJson(text).ok) JSON.parse(text);
      }),
    );
  });

  test.each<[string, string, Partial<JsonFault>]>([
    ['a top-level key', '{"a":1,"a":2}', { path: 'a', reason: 'duplicate_key' }],
    ['a key in a list in an object', '{"b":[0,{"a":1,"a":2}]}', { path: 'b[1].a', reason: 'duplicate_key' }],
    ['a key after an inner object', '{"a":{"b":1},"a":2}', { path: 'a', reason: 'duplicate_key' }],
    ['a key spelt with an escape', '{"a":1,"\\u0061":2}', { path: 'a', reason: 'duplicate_key' }],
    ['a key with a quote in it', '{"\\"":1,"\\"":2}', { path: '"', reason: 'duplicate_key' }],
    ['a key that ends in a backslash', '{"\\\\":1,"\\\\":2}', { path: '\\', reason: 'duplicate_key' }],
    ['__proto__', '{"__proto__":{}}', { path: '__proto__', reason: 'forbidden_key' }],
    [
      '__proto__ spelt with an escape',
      '{"\\u005f_proto__":{}}',
      { path: '__proto__', reason: 'forbidden_key' },
    ],
  ])('refuses %s', (_what, text, fault) => {
    expect(parseJson(text)).toMatchObject({ ok: false, faults: [fault] });
  });

  test.each([
    ['the same key in sibling objects', '[{"a":1},{"a":2}]'],
    ['the same key in an inner object', '{"a":{"a":{"a":1}}}'],
    ['a key that is also a value', '{"a":"a","b":"a"}'],
    ['brackets and commas inside a string', '{"a":"{[,\\"a\\":","b":"}]"}'],
    ['constructor and prototype', '{"constructor":1,"prototype":2}'],
  ])('accepts %s', (_what, text) => {
    expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });

  test.each([
    ['nothing', '', 'expected JSON, got nothing'],
    ['only blanks', ' \n', 'expected JSON, got nothing'],
    ['a trailing comma', '{"a":1,}', 'not valid JSON'],
    ['a comment', '{} // x', 'not valid JSON'],
    ['single quotes', "{'a':1}", 'not valid JSON'],
    ['an unfinished string', '{"a', 'not valid JSON'],
    ['two documents', '{}{}', 'not valid JSON'],
    ['NaN', '{"a":NaN}', 'not valid JSON'],
    ['a byte order mark', '\ufeff{}', 'not valid JSON'],
  ])('refuses %s as a fault of syntax', (_what, text, message) => {
    const reading = parseJson(text);
    expect(reading).toMatchObject({ ok: false, faults: [{ reason: 'syntax', path: '' }] });
    expect(!reading.ok && reading.faults[0]?.message).toContain(message);
  });

  test('tells the line and column of a fault of syntax', () => {
    const reading = parseJson('{\n  "a": 1,\n  b: 2\n}');
    expect(!reading.ok && reading.faults[0]?.message).toMatch(/line 3 column 3/);
  });

  test('accepts nesting up to the limit and refuses one level more', () => {
    expect(parseJson(nested(3), { maxDepth: 3 }).ok).toBe(true);
    expect(parseJson(nested(4), { maxDepth: 3 })).toMatchObject({
      ok: false,
      faults: [{ reason: 'too_deep' }],
    });
  });

  test('refuses a million levels at once', () => {
    expect(parseJson('['.repeat(1_000_000))).toMatchObject({ ok: false, faults: [{ reason: 'too_deep' }] });
    expect(parseJson('{"a":'.repeat(1_000_000))).toMatchObject({
      ok: false,
      faults: [{ reason: 'too_deep' }],
    });
  });

  test('reports a limited number of faults', () => {
    const reading = parseJson(`{${'"a":1,'.repeat(10_000)}"a":1}`);
    expect(!reading.ok && reading.faults.length).toBe(20);
  });
});

test.each([
  [[], ''],
  [['a'], 'a'],
  [['a', 'b'], 'a.b'],
  [['a', 0, 'b'], 'a[0].b'],
  [[0, 1], '[0][1]'],
])('joinPath writes %j as %j', (segments, path) => {
  expect(joinPath(segments)).toBe(path);
});

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

// `jsonValue` may make a `__proto__` key, which is a fault of its own.
function expectedReading(text: string) {
  return /"__proto__":/.test(text)
    ? expect.objectContaining({ ok: false })
    : { ok: true, value: JSON.parse(text) };
}

/** An object as the list of its keys and values, so that a key can stand in it twice. */
type Tree = null | { entries: [string, Tree][] } | { items: Tree[] };

function treeArbitrary(): fc.Arbitrary<Tree> {
  const key = fc.constantFrom('a', 'b', 'c', '"', '\\', ',');
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.record({ entries: fc.array(fc.tuple(key, tie('tree')), { maxLength: 3 }) }),
      fc.record({ items: fc.array(tie('tree'), { maxLength: 3 }) }),
    ),
  }));
  return tree;
}

function toText(tree: Tree): string {
  if (tree === null) return 'null';
  if ('items' in tree) return `[${tree.items.map(toText).join(', ')}]`;
  return `{${tree.entries.map(([key, value]) => `${JSON.stringify(key)} : ${toText(value)}`).join(',')}}`;
}

function hasDuplicate(tree: Tree): boolean {
  if (tree === null) return false;
  if ('items' in tree) return tree.items.some(hasDuplicate);
  const keys = tree.entries.map(([key]) => key);
  return new Set(keys).size < keys.length || tree.entries.some(([, value]) => hasDuplicate(value));
}
