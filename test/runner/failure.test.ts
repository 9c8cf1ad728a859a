import { describe, expect, test } from 'vitest';
import { describeFailure } from '../../src/runner/failure.ts';

interface Failure {
  code: number;
  message: string;
  data: { name: string; stack: string; details: unknown };
}

const describeThrown = (thrown: unknown): Failure => JSON.parse(describeFailure('pluginFailed', thrown));

const liar = (property: string): Error =>
  Object.defineProperty(new Error('m'), property, {
    get: () => {
      throw new Error('a getter that throws');
    },
  });

describe('a thrown value becomes', () => {
  test.each<[string, unknown, string, string?]>([
    ['an error', new RangeError('no such city'), 'no such city', 'RangeError'],
    ['an error without words', new Error(''), '', 'Error'],
    ['a text', 'text', 'a thrown string: text'],
    ['a number', 42, 'a thrown number: 42'],
    ['nothing', undefined, 'a thrown undefined: undefined'],
    ['null', null, 'a thrown object: null'],
    ['a symbol', Symbol('s'), 'a thrown symbol: Symbol(s)'],
    [
      'an object',
      { status: 402, body: { reason: 'no money' } },
      'a thrown object: {"status":402,"body":{"reason":"no money"}}',
    ],
    ['a list of objects', ['a', { b: 1 }], 'a thrown object: ["a",{"b":1}]'],
    [
      'an error of a disposal, with the one that it came after',
      new SuppressedError(new Error('not closed'), new TypeError('no rate'), 'two at once'),
      'two at once (2 errors: Error: not closed; TypeError: no rate)',
      'SuppressedError',
    ],
    ['an error of many words', new Error('x'.repeat(9_000)), `${'x'.repeat(3_999)}…`, 'Error'],
    ['an empty object', {}, 'a thrown object: {}'],
    ['an object with a message', { message: 'm', name: 'n' }, 'm', 'n'],
    ['an object whose message is no text', { message: 1 }, 'a thrown object: {"message":1}'],
    ['an object without a prototype', Object.create(null), 'a thrown value that cannot be read'],
    ['an error whose message cannot be read', liar('message'), 'a thrown value that cannot be read', 'Error'],
    ['an error whose name cannot be read', liar('name'), 'm', ''],
    [
      'a proxy that throws at every touch',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
      'a thrown value that cannot be read',
    ],
    [
      'a function that says it is an error',
      Object.assign(() => {}, { message: 'm' }),
      expect.stringContaining('a thrown function') as unknown as string,
    ],
  ])('%s', (_title, thrown, message, name = '') => {
    expect(describeThrown(thrown)).toMatchObject({ code: -32001, message, data: { name } });
  });
});

test('an error crosses with its stack', () => {
  const error = new Error('m');
  expect(describeThrown(error).data.stack).toBe(error.stack);
});

test.each(['message', 'stack', 'name'])('an endless `%s` is cut', (property) => {
  const thrown = Object.assign(new Error('m'), { [property]: 'x'.repeat(1_000_000) });
  expect(describeFailure('pluginFailed', thrown).length).toBeLessThan(25_000);
});

test('the message of an error cannot break out of its JSON', () => {
  const message = '"},"result":1,"x":{"\n\u001e\u2028\ud800';
  expect(describeThrown(new Error(message)).message).toBe(message);
  expect(describeFailure('pluginFailed', new Error(message))).not.toMatch(/[\n\u001e]/);
});

test.each([
  ['pluginFailed', -32001],
  ['notLoadable', -32002],
  ['noResult', -32003],
  ['notSerializable', -32004],
  ['uncaught', -32005],
] as const)('the failure `%s` has the code %i', (code, number) => {
  expect(JSON.parse(describeFailure(code, new Error('m'))).code).toBe(number);
});

describe('a reported error', () => {
  test('has its causes in its text and its details, at every depth', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), {
      code: 'ECONNREFUSED',
      port: 9,
    });
    const failed = new TypeError('fetch failed', { cause: new Error('outer', { cause: refused }) });
    const { message, data } = describeThrown(failed);
    expect(message).toBe(
      'fetch failed (caused by Error: outer) (caused by Error: connect ECONNREFUSED 127.0.0.1:9)',
    );
    expect(data.details).toMatchObject({
      cause: { message: 'outer', cause: { code: 'ECONNREFUSED', port: 9 } },
    });
  });

  test('has its inner errors in order', () => {
    const { message, data } = describeThrown(new AggregateError([new Error('one'), 'two'], 'all failed'));
    expect(message).toBe('all failed (2 errors: Error: one; two)');
    expect(data.details).toEqual({ errors: [{ name: 'Error', message: 'one' }, 'two'] });
  });

  test('has its own fields as details', () => {
    const { data } = describeThrown(
      Object.assign(new Error('m'), { code: 'E_PAY', status: 402, at: new Date(0) }),
    );
    expect(data.details).toEqual({ code: 'E_PAY', status: 402, at: '1970-01-01T00:00:00.000Z' });
  });

  test('that is its own cause has the cycle once', () => {
    const error = new Error('round');
    error.cause = error;
    expect(describeThrown(error).message).toMatch(/^round \(caused by \[`error.cause` is `error` again/);
  });

  test.each([
    ['a million fields', () => Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, i]))],
    ['a text of ten megabytes', () => ({ text: 'x'.repeat(10_000_000) })],
    ['a list without end', () => ({ list: Array(1_000_000).fill('x') })],
    [
      'a getter that throws',
      () =>
        Object.defineProperty({}, 'a', {
          enumerable: true,
          get: () => {
            throw new Error('no');
          },
        }),
    ],
  ])('that has %s has bounded details', (_title, fields) => {
    expect(
      describeFailure('pluginFailed', Object.assign(new Error('m'), { fields: fields() })).length,
    ).toBeLessThan(60_000);
  });
});

test('a stack ends where the runner called the plugin', () => {
  const runner = process.argv[1];
  const error = Object.assign(new Error('m'), {
    stack: `Error: m\n    at execute (file:///plugin/index.mjs:2:9)\n    at ${runner}:5:1258\n    at serve (${runner}:5:99)`,
  });
  const { data } = JSON.parse(describeFailure('pluginFailed', error));
  expect(data.stack).toBe('Error: m\n    at execute (file:///plugin/index.mjs:2:9)');
});
