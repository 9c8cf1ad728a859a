import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinPath } from '../../src/json/path.ts';
import { type JsonFault, JsonReader, type JsonReading, parseJson } from '../../src/json/reader.ts';

describe('parseJson', () => {
  test('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 4 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(text)).toEqual(expectedReading(text));
      }),
    );
  });

  test('finds a duplicate key at any depth and in any spelling', () => {
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

  test('accepts exactly what JSON.parse accepts, with the same value', () => {
    const pieces = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '\\', '"a"', '"b"', 'null', 'true', 'fals', ' ', '\n', '\t'],
      ...[
        '1',
        '0',
        '-',
        '.',
        'e5',
        'E+',
        '0.1',
        '1e999',
        '\u0000',
        '\\u0041',
        '\\ud83d',
        '\\x',
        '今',
        '👋',
        '\ufeff',
      ],
    );
    const mutated = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', '\\', '0', '}', ',', 'x', '\u0001', ' '))
      .map(
        ([text, at, put]) => text.slice(0, at % (text.length + 1)) + put + text.slice((at % text.length) + 1),
      );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join('')),
          mutated,
        ),
        (text) => {
          const reading = parseJson(text, { maxDepth: 1000 });
          const faults = reading.ok ? [] : reading.faults.map(({ reason }) => reason);
          const isOurs = (reason: string) => /^(?:duplicate_key|forbidden_key|inexact_number)$/.test(reason);
          if (faults.some(isOurs)) return;
          expect(reading.ok ? { value: reading.value } : null).toEqual(parsedBy(JSON.parse, text));
        },
      ),
      { numRuns: 2_000 },
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
  ])('refuses %s as a syntax error', (_what, text, message) => {
    const reading = parseJson(text);
    expect(reading).toMatchObject({ ok: false, faults: [{ reason: 'syntax', path: '' }] });
    expect(!reading.ok && reading.faults[0]?.message).toContain(message);
  });

  test('reports the line and column of a syntax error', () => {
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

  test.each([
    ['a text that is never closed', '{"a": "b', 'expected the rest of a text, got the end (line 1 column 9)'],
    [
      'a control character in a text',
      '["a\nb"]',
      'expected the rest of a text, got "\\u000a" (line 1 column 4)',
    ],
    ['an escape that there is not', '["\\x"]', 'expected escapes that JSON has'],
    ['a list that is never closed', '[1', 'expected `,` or the end of what is open, got the end'],
    ['an object closed as a list', '{"a":1]', 'expected `,` or the end of what is open, got "]"'],
    ['a key without its value', '{"a"}', 'expected `:`, got "}"'],
    [
      'a comma too many',
      '{"a":1,}',
      'expected a key in double quotes, got "}" (line 1 column 8); take away the comma before it',
    ],
    [
      'a comma too many in a list',
      '[1,]',
      'expected a value, got "]" (line 1 column 4); take away the comma before it',
    ],
    [
      'a comment',
      '{\n// a\n}',
      'expected a key in double quotes or `}`, got "/" (line 2 column 1); JSON has no comments',
    ],
    [
      'single quotes',
      "{'a':1}",
      'expected a key in double quotes or `}`, got "\'" (line 1 column 2); texts and keys stand in double quotes',
    ],
    ['a key without quotes', '{a:1}', 'expected a key in double quotes or `}`, got "a" (line 1 column 2)'],
    ['a comma before the end', '[1,\n]', 'expected a value, got "]" (line 2 column 1)'],
    ['a second document', '{}\n\n {}', 'expected nothing more, got "{" (line 3 column 2)'],
    ['a number of a kind of its own', '[01]', 'expected a value or `]`, got "0"'],
    ['a letter that looks like another', '{"a":\u0456}', 'expected a value, got "\\u0456"'],
  ])('says what was expected in place of %s', (_what, text, message) => {
    const reading = parseJson(text);
    expect(!reading.ok && reading.faults).toMatchObject([{ reason: 'syntax', path: '' }]);
    expect(!reading.ok && reading.faults[0]?.message).toContain(`not valid JSON: ${message}`);
  });

  test('counts values of every kind, and lists and objects with them', () => {
    for (const text of ['[1,"a",null]', '[[[[]]]]', '{"a":{"b":{"c":{}}}}', '[[],[],[]]']) {
      expect(parseJson(text, { maxValues: 4 }).ok).toBe(true);
      expect(parseJson(text, { maxValues: 3 })).toMatchObject({
        faults: [{ reason: 'too_many', path: '', message: 'more than 3 values' }],
      });
    }
  });

  test('refuses a very long number and a very long key, which cannot be read in steps', () => {
    expect(parseJson(`{"a":[0.${'1'.repeat(998)}]}`).ok).toBe(true);
    expect(parseJson(`{"a":[0,${'1'.repeat(1_001)}]}`)).toMatchObject({
      faults: [{ reason: 'too_long', path: 'a[1]', message: 'a number of more than 1000 characters' }],
    });
    expect(parseJson(`{"${'k'.repeat(16_000)}":1}`).ok).toBe(true);
    expect(parseJson(`{"${'k'.repeat(20_000)}":1}`)).toMatchObject({
      faults: [{ reason: 'too_long', path: '', message: 'a key of more than 16384 bytes' }],
    });
  });

  test('gives an object only its own properties', () => {
    const { value } = parseJson('{"constructor":1,"toString":{"valueOf":2},"then":3}') as { value: object };
    expect(Object.entries(value)).toEqual([
      ['constructor', 1],
      ['toString', { valueOf: 2 }],
      ['then', 3],
    ]);
    expect({}.constructor).toBe(Object);
  });

  test('refuses a number that would lose digits, with its path', () => {
    const text = '{"id":1234567890123456789,"ids":[9007199254740992,-9007199254740993],"far":1e400}';
    const message = 'a number cannot hold this; send it as text: "1234567890123456789"';
    expect(parseJson(text)).toMatchObject({
      faults: [
        { reason: 'inexact_number', path: 'id', message },
        { reason: 'inexact_number', path: 'ids[1]' },
        { reason: 'inexact_number', path: 'far' },
      ],
    });
  });

  test('refuses a lossy number behind a very long path, so that thousands of them cost little (P10)', () => {
    const text = (key: string) => `{"schema":{"${key}":{"examples":[9007199254740993]}}}`;
    const limits = { rounds: /^schema\.(?:.*\.)?examples\[\d+\]$/ };
    expect(parseJson(text('a.b'), limits).ok).toBe(true);
    expect(parseJson(text('.'.repeat(3_000)), limits).ok).toBe(false);
  });

  test.each([
    '12345678901234567890.0',
    '1234567890123456789e0',
    '12345678901234567891e1',
    '1.234567890123456789e18',
    '-1e309',
    '1e-400',
    '-0.0000001e-330',
    `1${'0'.repeat(16)}1`,
  ])('refuses %s', (text) => {
    expect(parseJson(text)).toMatchObject({ faults: [{ reason: 'inexact_number' }] });
  });

  test.each([
    '0',
    '-0',
    '0.000e5',
    '0.1',
    '0.1000000000000000055511151231257827',
    '3.14159265358979323846',
    '1e-320',
    '1e30',
    '1E22',
    '1.5E+300',
    '100000000000000000000000',
    '10000000000000000000000.00',
    '9007199254740991',
    '-9007199254740992',
    '1234567890123456768',
    '1152921504606847000',
    '1152921504606846976',
    '123456789012345678.9',
  ])('takes %s', (text) => {
    expect(parseJson(text)).toEqual({ ok: true, value: Number(text) });
  });

  test('accepts every number that JavaScript writes', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger()),
        (value) => {
          expect(parseJson(JSON.stringify(value))).toEqual({ ok: true, value: value === 0 ? 0 : value });
        },
      ),
    );
  });

  test('reads a number of a thousand characters quickly', () => {
    const text = `[${Array(2_000)
      .fill(`${'1'.repeat(300)}.${'0'.repeat(600)}`)
      .join(',')}]`;
    const startedAt = performance.now();
    parseJson(
      `[${Array(16_000)
        .fill(`1${'0'.repeat(300)}.${'0'.repeat(600)}`)
        .join(',')}]`,
    );
    parseJson(text);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('reports a limited number of faults', () => {
    const reading = parseJson(`{${'"a":1,'.repeat(10_000)}"a":1}`);
    expect(!reading.ok && reading.faults.length).toBe(20);
  });
});

describe('JSON that is read in steps', () => {
  const LETTERS = ['x', 'é', '今', '👋', '\\n', '\\u0041', '\\ud83d\\udc4b', '\\\\', '\\"'];

  function readInSteps(text: string, steps: number): { reading: JsonReading; pauses: number } {
    const reader = new JsonReader(Buffer.from(text));
    for (let pauses = 0; ; pauses++) {
      const reading = reader.read(steps);
      if (reading !== null) return { reading, pauses };
    }
  }

  test('gives the same document with any size of steps', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 1, max: 5 }), (text, steps) => {
        expect(readInSteps(text, steps).reading).toEqual(parseJson(text));
      }),
    );
  });

  test.each(LETTERS)('never cuts a long text of %s at a wrong place', (letter) => {
    for (let before = 0; before < 12; before++) {
      const text = `["${'-'.repeat(before)}${letter.repeat(20_000)}"]`;
      const { reading, pauses } = readInSteps(text, 1);
      expect(reading).toEqual({ ok: true, value: JSON.parse(text) });
      expect(pauses).toBeGreaterThan(2);
    }
  });

  test.each([
    ['blanks', `[${' '.repeat(1_000_000)}]`],
    ['a text', `"${'x'.repeat(1_000_000)}"`],
    ['escapes', `"${'\\n'.repeat(500_000)}"`],
    ['many values', `[${'0,'.repeat(500_000)}0]`],
    ['many lists', `[${'[[]],'.repeat(200_000)}0]`],
  ])('advances little in each step: %s', (_what, text) => {
    // What a step may read at most, 16 KiB, as a number of steps.
    expect(readInSteps(text, 1).pauses).toBeGreaterThanOrEqual(Math.floor(text.length / 16_384));
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

function parsedBy(parse: (text: string) => unknown, text: string): { value: unknown } | null {
  try {
    return { value: parse(text) };
  } catch {
    return null;
  }
}

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
