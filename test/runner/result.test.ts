import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ThrownInside } from '../../src/runner/result.ts';
import { crossing } from '../helpers/values.ts';

const LIMITS = { depth: 64, values: 1000, bytes: 100_000 };

async function cross(value: unknown): Promise<{ value: unknown; warned: string[] }> {
  const { json, warnings } = await crossing(value, LIMITS);
  return { value: JSON.parse(json), warned: warnings.map(({ path, message }) => `${path} ${message}`) };
}

class Point {
  readonly x = 1;
  readonly #y = 2;
  get y(): number {
    return this.#y;
  }
}

class Closed {
  readonly #inner = 1;
  get inner(): number {
    return this.#inner;
  }
}

class Money {
  readonly #cents = 1999n;
  toJSON(): string {
    return `${this.#cents / 100n}.${this.#cents % 100n}`;
  }
}

/** Newer than what TypeScript knows of JSON. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => object };

describe('a value with a JSON form crosses without a warning:', () => {
  test.each<[string, unknown, unknown]>([
    ['nothing', undefined, null],
    ['a text with half a character', 'a\ud800', 'a\ud800'],
    ['a number', -1.5e-7, -1.5e-7],
    ['a large double', 1e21, 1e21],
    ['a small BigInt', { n: 42n }, { n: 42 }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    [
      'a Map with texts as keys',
      new Map<string, unknown>([
        ['a', new Map([['b', 1]])],
        ['__proto__', 2],
      ]),
      JSON.parse('{"a":{"b":1},"__proto__":2}'),
    ],
    ['the rows of a query', new DatabaseSync(':memory:').prepare('select 1 as n').iterate(), [{ n: 1 }]],
    ['a Set', new Set([1, new Set(['x'])]), [1, ['x']]],
    ['bytes', { png: Buffer.from('hello') }, { png: 'aGVsbG8=' }],
    [
      'a part of a buffer',
      new Uint8Array(Buffer.from('hello').buffer, Buffer.from('hello').byteOffset, 0),
      '',
    ],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer, 'AQID'],
    ['a DataView', new DataView(new Uint8Array([1, 2, 3]).buffer, 1), 'AgM='],
    ['a Blob', { file: new Blob(['hello']) }, { file: 'aGVsbG8=' }],
    ['a URL', new URL('https://example.org/a?b=1'), 'https://example.org/a?b=1'],
    ['search parameters', new URLSearchParams({ a: '1', b: '2' }), 'a=1&b=2'],
    ['a RegExp', /a\/b/gi, '/a\\/b/gi'],
    ['boxed values', [new String('a'), new Number(1), new Boolean(false), Object(2n)], ['a', 1, false, 2]],
    [
      'an Error',
      { error: Object.assign(new TypeError('no'), { code: 'E', status: 402 }) },
      { error: { name: 'TypeError', message: 'no', code: 'E', status: 402 } },
    ],
    [
      'an Error with a cause',
      new Error('a', { cause: new Error('b') }),
      { name: 'Error', message: 'a', cause: { name: 'Error', message: 'b' } },
    ],
    [
      'several errors in one',
      new AggregateError([new Error('a')], 'm'),
      { name: 'AggregateError', message: 'm', errors: [{ name: 'Error', message: 'a' }] },
    ],
    [
      'an error of the web',
      new DOMException('gone', 'AbortError'),
      { name: 'AbortError', message: 'gone', code: 20 },
    ],
    [
      'a promise inside',
      { a: Promise.resolve(new Set([1])), b: [Promise.resolve(Promise.resolve(2))] },
      { a: [1], b: [2] },
    ],
    ['a promise of nothing', { a: Promise.resolve(undefined) }, {}],
    ['an iterator of a Map', new Map([['a', 1]]).entries(), [['a', 1]]],
    ['what has a `toJSON`', { price: new Money() }, { price: '19.99' }],
    ['an instance with fields of its own', new Point(), { x: 1 }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [
      'the key `__proto__`',
      JSON.parse('{"__proto__":{"a":[{"__proto__":1}]}}'),
      JSON.parse('{"__proto__":{"a":[{"__proto__":1}]}}'),
    ],
    ['a field that holds nothing', { a: undefined, b: 1 }, { b: 1 }],
    [
      'what `JSON.rawJSON` made',
      {
        n: rawJson('12.50'),
        t: rawJson('"x"'),
        b: rawJson('true'),
        e: rawJson('1e21'),
        f: rawJson('0.1000000000000000055'),
      },
      { n: 12.5, t: 'x', b: true, e: 1e21, f: 0.1 },
    ],
    ['headers', { headers: new Headers({ a: '1', b: '2' }) }, { headers: { a: '1', b: '2' } }],
  ])('%s', async (_title, value, expected) => {
    expect(await cross(value)).toEqual({ value: expected, warned: [] });
  });

  test('the values of a generator, which runs to its end', async () => {
    let hasEnded = false;
    async function* rows(): AsyncGenerator<unknown> {
      yield new Set([1]);
      yield Promise.resolve(2);
      hasEnded = true;
    }
    expect(await cross(rows())).toEqual({ value: [[1], 2], warned: [] });
    expect(hasEnded).toBe(true);
  });
});

describe('a value without a JSON form crosses by a rule, with a warning and its path:', () => {
  test.each<[string, unknown, unknown, RegExp]>([
    ['NaN', { mean: Number.NaN }, { mean: null }, /^result\.mean is NaN/],
    ['an infinity', [1, -Infinity], [1, null], /^result\[1\] is -Infinity/],
    [
      'an invalid Date',
      { 'due at': new Date('x') },
      { 'due at': null },
      /^result\["due at"\] is an invalid Date/,
    ],
    [
      'a BigInt beyond 2^53',
      { id: 1234567890123456789n },
      { id: '1234567890123456789' },
      /^result\.id is a BigInt beyond 2\^53/,
    ],
    [
      'the text of a number beyond 2^53',
      { id: rawJson('1234567890123456789'), far: rawJson('1e3') },
      { id: '1234567890123456789', far: 1000 },
      /^result\.id is a number beyond those of JavaScript/,
    ],
    ['the text of a number beyond all', [rawJson('1e400')], ['1e400'], /^result\[0\] is a number beyond/],
    ['a function in a field', { a: 1, format: () => 1 }, { a: 1 }, /^result\.format is a function/],
    ['a function in a list', [() => 1], [null], /^result\[0\] is a function/],
    ['a symbol', { s: Symbol('x') }, {}, /^result\.s is a symbol/],
    ['a field under a symbol', { [Symbol('x')]: 1 }, {}, /^result is an object with fields under symbols/],
    ['a hole in a list', Object.assign([], { 0: 1, 2: 2 }), [1, null, 2], /^result\[1\] is `undefined`/],
    [
      'what a match has beside its groups',
      'abc'.match(/b/),
      ['b'],
      /^result is a list with named fields \(3\)/,
    ],
    ['a Map with other keys', new Map([[1, 'a']]), [[1, 'a']], /^result is a Map with keys that are no text/],
    [
      'an instance that shows nothing',
      { a: new Closed() },
      { a: {} },
      /^result\.a is an instance of `Closed`/,
    ],
  ])('%s', async (_title, value, expected, warned) => {
    const crossed = await cross(value);
    expect(crossed.value).toEqual(expected);
    expect(crossed.warned).toEqual([expect.stringMatching(warned)]);
  });

  test('a thousand of a kind give twenty warnings and a count', async () => {
    const { warned } = await cross(Array(900).fill(Number.NaN));
    expect(warned).toHaveLength(21);
    expect(warned.at(-1)).toContain('and 880 more values');
  });
});

describe('a value that would be falsified is refused, with its path:', () => {
  const circle: Record<string, unknown> = { a: [{}] };
  circle['a'] = [{ back: circle }];
  test.each<[string, unknown, string]>([
    ['a function', () => 1, '`result` is a function'],
    ['a Response', { page: new Response('x') }, '`result.page` is a Response; return what is in it'],
    ['a stream of the web', { s: new Blob(['x']).stream() }, '`result.s` is a stream; read it first'],
    ['a circle', circle, '`result.a[0].back` is `result` again'],
    ['a WeakMap', [new WeakMap()], '`result[0]` is a WeakMap'],
    [
      'a getter that throws',
      {
        get a() {
          throw new Error('not today');
        },
      },
      '`result.a` cannot be read: Error: not today',
    ],
    [
      'a `toJSON` that throws',
      {
        a: {
          toJSON() {
            throw new Error('no');
          },
        },
      },
      '`result.a` cannot be read: Error: no',
    ],
    ['a revoked proxy', { p: revoked() }, '`result.p` cannot be read: TypeError'],
  ])('%s', async (_title, value, message) => {
    await expect(cross(value)).rejects.toMatchObject({
      kind: 'value',
      message: expect.stringContaining(message),
    });
  });

  test('a promise inside that is rejected, by what it was rejected with', async () => {
    await expect(cross({ a: Promise.reject(new RangeError('late')) })).rejects.toEqual(
      new ThrownInside('result.a', new RangeError('late')),
    );
  });
});

// biome-ignore lint/correctness/useYield: it ends before it has one
function* endsBadly(): Generator {
  throw new Error('late');
}

describe('an error crosses without the parts that cannot, with a warning and their path:', () => {
  const answer = { status: 503, data: Readable.from(['busy']), request: new Request('https://example.org') };
  const failed = Object.assign(new Error('status code 503'), { code: 'ERR_BAD_RESPONSE', response: answer });
  const itself: Error & { response?: object } = new Error('no');
  itself.response = { status: 404, error: itself };
  test.each<[string, unknown, unknown, string[]]>([
    [
      'a stream and a request',
      { ok: false, error: failed },
      {
        ok: false,
        error: {
          name: 'Error',
          message: 'status code 503',
          code: 'ERR_BAD_RESPONSE',
          response: { status: 503, data: null, request: null },
        },
      },
      ['result.error.response.data is a stream;', 'result.error.response.request is a Request;'],
    ],
    [
      'itself',
      [itself],
      [{ name: 'Error', message: 'no', response: { status: 404, error: null } }],
      ['result[0].response.error is `result[0]` again'],
    ],
    [
      'a getter that throws, and a generator that does',
      Object.assign(new Error('m'), {
        a: {
          get b() {
            throw new Error('not today');
          },
          c: 1,
        },
        d: endsBadly(),
      }),
      { name: 'Error', message: 'm', a: { b: null, c: 1 }, d: null },
      ['result.a.b cannot be read: Error: not today', 'result.d is waited for in vain (Error: late)'],
    ],
    [
      'what is given by a `toJSON` of the error',
      Object.assign(new Error('m'), {
        toJSON: () => ({ message: 'm', config: { body: new Blob(['x']).stream() } }),
      }),
      { message: 'm', config: { body: null } },
      ['result.config.body is a stream;'],
    ],
    [
      'nothing, with both errors of a disposal',
      new SuppressedError(new Error('not closed'), new Error('no rate'), 'm'),
      {
        name: 'SuppressedError',
        message: 'm',
        error: { name: 'Error', message: 'not closed' },
        suppressed: { name: 'Error', message: 'no rate' },
      },
      [],
    ],
    [
      'its cause',
      new Error('m', { cause: new Error('n', { cause: new WeakMap() }) }),
      { name: 'Error', message: 'm', cause: { name: 'Error', message: 'n', cause: null } },
      ['result.cause.cause is a WeakMap'],
    ],
  ])('%s', async (_title, value, form, told) => {
    const crossed = await cross(value);
    expect(crossed.value).toEqual(form);
    expect(crossed.warned).toEqual(told.map((start) => expect.stringContaining(start)));
  });
});

describe('a value above a limit is refused, with the path and what to do:', () => {
  let deep: unknown = [];
  for (let level = 0; level < 70; level++) deep = { a: deep };
  function* endless(): Generator<number> {
    for (;;) yield 1;
  }
  test.each<[string, unknown, string]>([
    ['depth', deep, 'is nested deeper than 64 levels'],
    ['depth of what is no plain data', new Map([['a', deep]]), 'is nested deeper than 64 levels'],
    ['values', { rows: Array(1001).fill(0) }, '`result.rows'],
    ['a list of four billion', Object.assign([], { length: 2 ** 32 - 1 }), '`result` is one value too many'],
    ['a generator without end', endless(), '`result` is one value too many'],
    ['bytes', { small: 1, images: ['x', 'y'.repeat(200_000)] }, '`result.images[1]` has 200002 bytes of the'],
    ['bytes that a Buffer has', { png: Buffer.alloc(90_000) }, 'raise `output_kb`'],
  ])('%s', async (_title, value, message) => {
    await expect(cross(value)).rejects.toMatchObject({
      kind: 'limit',
      message: expect.stringContaining(message),
    });
  });
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

type Make = () => unknown;

const LEAVES: readonly Make[] = [
  ...[
    undefined,
    null,
    true,
    0,
    -0,
    1.5,
    Number.NaN,
    Infinity,
    'text',
    '\ud800',
    10n,
    2n ** 70n,
    Symbol('s'),
  ].map((value) => () => value),
  () => () => 1,
  () => new Date(Number.NaN),
  () => Buffer.from('x'),
  () => new ArrayBuffer(4),
  () => detached(),
  () => new URL('https://a.example'),
  () => /x/,
  () => new Error('m'),
  () => new Closed(),
  () => revoked(),
  () => new Proxy({ a: 1 }, {}),
  () => Object.assign([], { 0: 1, 2: 3 }),
  () =>
    Object.defineProperty({}, 'a', {
      enumerable: true,
      get: () => {
        throw new Error('g');
      },
    }),
  () => new WeakSet(),
  () => new Response('x'),
];
const KEYS = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('__proto__', 'toJSON', 'constructor', 'length'),
);

/** Every kind of value in every other; made when it is used, because looking at some of them throws. */
const anyValue: fc.Arbitrary<Make> = fc.letrec<{ value: Make }>((tie) => {
  const list = fc.array(tie('value'), { maxLength: 4 });
  const made = (makes: readonly Make[]): unknown[] => makes.map((make) => make());
  const in_ = (wrap: (value: unknown) => unknown) => tie('value').map((make) => () => wrap(make()));
  return {
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(...LEAVES),
      list.map((makes) => () => made(makes)),
      list.map((makes) => () => new Set(made(makes))),
      list.map((makes) => () => made(makes).values()),
      list.map(
        (makes) => () =>
          new Map(made(makes).map((value, index) => [index % 2 === 0 ? value : `k${index}`, value])),
      ),
      fc
        .array(fc.tuple(KEYS, tie('value')), { maxLength: 4 })
        .map((members) => () => Object.fromEntries(members.map(([key, make]) => [key, make()]))),
      in_((value) => (isThenable(value) ? 1 : Promise.resolve(value))),
      in_((value) => new Error('outer', { cause: value })),
      in_((value) => ({ toJSON: () => value })),
    ),
  };
}).value;

function isThenable(value: unknown): boolean {
  try {
    return typeof (value as { then?: unknown } | null)?.then === 'function';
  } catch {
    return true;
  }
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

test('any result crosses as valid JSON, or is refused with its path', async () => {
  await fc.assert(
    fc.asyncProperty(anyValue, async (make) => {
      const outcome = await crossing(make(), LIMITS).then(
        ({ json }) => ({ json, error: null }),
        (error: Error | ThrownInside) => ({ json: null, error }),
      );
      if (outcome.error === null) JSON.parse(outcome.json);
      // To wait for a revoked proxy is refused by the language itself.
      else if (outcome.error instanceof ThrownInside) expect(outcome.error.path).toMatch(/^result/);
      else expect(outcome.error).toMatchObject({ name: '', message: expect.stringContaining('`result') });
    }),
    { numRuns: 3_000 },
  );
}, 60_000);
