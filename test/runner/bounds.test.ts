import { describe, expect, test } from 'vitest';
import { describeFailure } from '../../src/runner/failure.ts';
import { crossing } from '../helpers/values.ts';

const LIMITS = { depth: 64, values: 100_000, bytes: 1024 * 1024 };
const MANY = 300_000;

describe('too large a value is refused before it is copied:', () => {
  const long = 'x'.repeat(500_000);
  const pairs = Array.from({ length: MANY }, (_, index) => [`k${index}`, index] as const);
  function* lines(): Generator<string> {
    for (;;) yield long;
  }
  test.each<[string, () => unknown, RegExp]>([
    [
      'a text that was put together',
      () => ({ a: 'x'.repeat(2 ** 29 - 24) }),
      /^`result\.a` brings the result to/,
    ],
    [
      'one text many times',
      () => Array(90_000).fill(long),
      /^`result\[8\]` brings the result to 4500000 char/,
    ],
    [
      'one text under many keys of a Map',
      () => new Map(pairs.slice(0, 9_000).map(([key]) => [key, long])),
      /brings/,
    ],
    ['lines without end', lines, /^`result` brings the result to/],
    ['a large buffer', () => [new Uint8Array(2 ** 29)], /^`result\[0\]` brings the result to/],
    ['a large Blob', () => [new Blob([new Uint8Array(2 ** 23)])], /^`result\[0\]` brings the result to/],
    ['a large Map', () => ({ m: new Map(pairs) }), /^`result\.m` is one value too many/],
    ['a large Set', () => ({ s: new Set(pairs) }), /^`result\.s` is one value too many/],
    ['a large object', () => Object.fromEntries(pairs), /^`result.*` is one value too many/],
    ['a large list', () => [Array(MANY).fill(0)], /^`result\[0\]` is one value too many/],
    ['a list with a far end', () => Object.assign([], { 4294967294: 1 }), /^`result` is one value too many/],
    ['one list in itself many times over', () => doubled(40), /is one value too many/],
    ['pairs without end', endlessHeaders, /^`result` is one value too many/],
    [
      'a key of 20,000 bytes',
      () => ({ a: [{ ['k'.repeat(20_000)]: 1 }] }),
      /^`result\.a\[0\]\.k.*has a key of more/,
    ],
    [
      'such a key of a Map',
      () => new Map([['\u0001'.repeat(3_000), 1]]),
      /has a key of more than 16384 bytes/,
    ],
  ])('%s', async (_title, make, message) => {
    const value = make();
    const begun = process.cpuUsage();
    const before = process.memoryUsage().rss;
    await expect(crossing(value, LIMITS)).rejects.toMatchObject({
      kind: 'limit',
      message: expect.stringMatching(message),
    });
    const { user, system } = process.cpuUsage(begun);
    expect((user + system) / 1e6).toBeLessThan(3);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  });

  test('but a key of the allowed length crosses', async () => {
    const key = 'é'.repeat(8_000);
    expect(JSON.parse((await crossing({ [key]: 1 }, LIMITS)).json)).toEqual({ [key]: 1 });
  });
});

describe('an endless value does not hang the runner:', () => {
  const set = new Set<unknown>();
  set.add([set]);
  const map = new Map<unknown, unknown>([[1, 2]]);
  map.set(3, map);
  const answersAnew = (): object => ({ toJSON: answersAnew });
  const boxed = Object.assign(new String('a'), { valueOf: () => boxed });
  test.each<[string, unknown, string]>([
    ['a Set in itself', set, '`result[0][0]` is `result` again'],
    ['a Map in itself', map, '`result[1][1]` is `result` again'],
    ['a `toJSON` that gives another one', { a: answersAnew() }, '`result.a` is nested deeper than 64 levels'],
  ])('%s', async (_title, value, message) => {
    await expect(crossing(value, LIMITS)).rejects.toThrow(message);
  });

  test('a boxed text crosses as its text, whatever it claims to be', async () => {
    expect((await crossing([boxed], LIMITS)).json).toBe('["a"]');
  });

  test('a chain of forty errors with their cause as a field crosses once', async () => {
    let error: object = new Error('first');
    for (let depth = 0; depth < 40; depth++) error = Object.assign(new Error(`${depth}`), { cause: error });
    const { json } = await crossing({ error }, LIMITS);
    expect(json.match(/"cause"/g)).toHaveLength(40);
  });
});

test('a `toJSON` that a plugin adds to all lists has no effect', async () => {
  const prototype = Array.prototype as { toJSON?: () => string };
  prototype.toJSON = () => 'a list';
  try {
    expect((await crossing({ a: [1, new Set([2])] }, LIMITS)).json).toBe('{"a":[1,[2]]}');
  } finally {
    delete prototype.toJSON;
  }
});

test('an error with its own `toJSON` crosses as that', async () => {
  const error = Object.assign(new Error('402'), { request: process.stdout, toJSON: () => ({ status: 402 }) });
  expect((await crossing({ error }, LIMITS)).json).toBe('{"error":{"status":402}}');
});

describe('the report of a thrown error', () => {
  const detailsOf = (error: unknown) => JSON.parse(describeFailure('pluginFailed', error));

  test('has no credentials of the plugin, wherever they are', () => {
    const secret = { headers: { authorization: 'Bearer s3cr3t' } };
    const inner = Object.assign(new Error('401'), { config: secret, response: secret, toJSON: () => secret });
    const told = JSON.stringify(detailsOf(new AggregateError([inner], 'no', { cause: inner })));
    expect(told).toContain('401');
    expect(told).not.toContain('s3cr3t');
  });

  test('has the first of many errors, and says that there are more', () => {
    const errors = Array.from({ length: 5_000 }, (_, index) => new Error(`row ${index}`));
    const { message, data } = detailsOf(new AggregateError(errors, 'all failed'));
    expect(message).toMatch(/^all failed \(more than \d+ errors: Error: row 0; .*Error: row 9; …\)$/);
    expect(data.details.errors.slice(0, 2)).toEqual([
      { name: 'Error', message: 'row 0' },
      { name: 'Error', message: 'row 1' },
    ]);
  });

  test('has the issues of a schema, or the first of many', () => {
    const issues = Array.from({ length: 900 }, (_, index) => ({ path: ['rows', index], code: 'custom' }));
    const { data } = detailsOf(Object.assign(new Error('invalid'), { issues }));
    expect(data.details.issues[1]).toEqual({ path: ['rows', 1], code: 'custom' });
    expect(data.details.issues.length).toBeLessThan(100);
  });

  test('has the length of binary data, but not the data', () => {
    const { data } = detailsOf(Object.assign(new Error('bad file'), { body: Buffer.alloc(5_000_000) }));
    expect(data.details).toEqual({ body: '[5000000 bytes]' });
  });
});

function doubled(times: number): unknown {
  let list: unknown = [1];
  for (let time = 0; time < times; time++) list = [list, list];
  return list;
}

function endlessHeaders(): unknown {
  class Endless {
    readonly [Symbol.toStringTag] = 'Headers';
    *[Symbol.iterator](): Generator<[string, string]> {
      for (;;) yield ['a', '1'];
    }
  }
  return new Endless();
}

test('twenty warnings fit beside a result, however long their paths are', async () => {
  const name = '\u0001'.repeat(90);
  const Named = { [name]: class {} }[name] as new () => object;
  let value: unknown = Array.from({ length: 30 }, () => ({ [name]: new Named() }));
  for (let level = 0; level < 20; level++) value = { ['€'.repeat(90)]: value };
  const { warnings } = await crossing(value, LIMITS);
  const bytes = Buffer.byteLength(warnings.map((warning) => JSON.stringify(warning)).join(''));
  expect(warnings).toHaveLength(21);
  expect(bytes + 21 * 60).toBeLessThan(16 * 1024);
});
