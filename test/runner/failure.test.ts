import { describe, expect, test } from 'vitest';
import { describeFailure } from '../../src/runner/failure.ts';

interface Failure {
  code: number;
  message: string;
  data: { name: string; stack: string };
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
    ['an object', {}, 'a thrown object: [object Object]'],
    ['an object with a message', { message: 'm', name: 'n' }, 'm', 'n'],
    ['an object whose message is no text', { message: 1 }, 'a thrown object: [object Object]'],
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

test('an error brings its stack', () => {
  const error = new Error('m');
  expect(describeThrown(error).data.stack).toBe(error.stack);
});

test.each(['message', 'stack', 'name'])('a `%s` without end is cut', (property) => {
  const thrown = Object.assign(new Error('m'), { [property]: 'x'.repeat(1_000_000) });
  expect(describeFailure('pluginFailed', thrown).length).toBeLessThan(25_000);
});

test('the words of an error cannot leave their JSON', () => {
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
] as const)('`%s` is the code %i', (code, number) => {
  expect(JSON.parse(describeFailure(code, new Error('m'))).code).toBe(number);
});
