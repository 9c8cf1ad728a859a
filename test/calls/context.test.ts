import { describe, expect, test } from 'vitest';
import { parseContext } from '../../src/calls/context.ts';
import type { LurkboxError } from '../../src/errors.ts';

const EMPTY = {
  userId: null,
  channelId: null,
  sessionId: null,
  inputData: {},
  parameters: {},
  environment: {},
  config: {},
};

function problemsOf(written: unknown): unknown[] {
  try {
    parseContext(written);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONTEXT_INVALID' });
    return (error as LurkboxError).problems.map(({ path }) => path);
  }
}

test('every field of a context is optional and has a default', () => {
  expect(parseContext({})).toEqual(EMPTY);
});

test.each([
  [{ userId: 'u', channelId: 'discord', sessionId: 's' }],
  [{ userId: null }],
  [{ inputData: null }],
  [{ inputData: 'text' }],
  [{ inputData: [1, 'a', null, { b: [true] }] }],
  [{ parameters: { a: 1 }, environment: { b: 'x' }, config: { c: [] } }],
])('%j is accepted as a context', (written) => {
  expect(parseContext(written)).toEqual({ ...EMPTY, ...written });
});

test('a context also takes its keys in snake_case, as the manifest and the policy do', () => {
  const written = { user_id: 'u', channel_id: 'c', session_id: 's', input_data: 1 };
  expect(parseContext(written)).toEqual({
    ...EMPTY,
    userId: 'u',
    channelId: 'c',
    sessionId: 's',
    inputData: 1,
  });
});

describe('a context is refused for', () => {
  test.each<[string, unknown, string]>([
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['a list', [], ''],
    ['a text', 'x', ''],
    ['an unknown key', { user: 'u' }, 'user'],
    ['one field in both spellings', { user_id: 'u', userId: 'u' }, 'user_id'],
    ['an `executionId`, which lurkbox assigns', { executionId: 'x' }, 'executionId'],
    ['a number for a user', { userId: 1 }, 'userId'],
    ['a name that is too long', { channelId: 'x'.repeat(513) }, 'channelId'],
    ['a function', { inputData: () => 1 }, 'inputData'],
    ['a number that JSON cannot carry', { inputData: Number.NaN }, 'inputData'],
    ['a big integer', { inputData: 1n }, 'inputData'],
    ['a date', { inputData: new Date(0) }, 'inputData'],
    ['a list of parameters', { parameters: [] }, 'parameters'],
    ['a null configuration', { config: null }, 'config'],
    ['an environment that is not data', { environment: { a: Symbol('x') } }, 'environment.a'],
  ])('%s', (_title, written, path) => {
    expect(problemsOf(written)).toEqual([path]);
  });

  test('data that contains itself', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(problemsOf({ inputData: circle })).not.toEqual([]);
  });

  test('data that is nested too deep', () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) nested = [nested];
    expect(problemsOf({ inputData: nested })).not.toEqual([]);
  });

  test('data that throws when it is read', () => {
    const trap = {
      get here() {
        throw new Error('trap');
      },
    };
    expect(problemsOf({ inputData: trap })).toEqual(['']);
  });

  test('a `__proto__` key, with its path', () => {
    expect(problemsOf(JSON.parse('{"inputData":[0,{"__proto__":1}]}'))).toEqual(['inputData[1].__proto__']);
  });

  test('all problems at once', () => {
    expect(problemsOf({ userId: 1, config: 1, parameters: 1 })).toEqual(['userId', 'parameters', 'config']);
  });

  test('an unknown key, with the list of known keys', () => {
    expect(() => parseContext({ user: 'u' })).toThrow(
      expect.objectContaining({
        problems: [
          {
            path: 'user',
            message:
              'unknown key; known are userId, channelId, sessionId, inputData, parameters, environment, config',
          },
        ],
      }),
    );
  });
});

test('a `__proto__` key is refused anywhere in a context', () => {
  const written = JSON.parse(
    '{"parameters":{"__proto__":{"polluted":true}},"inputData":{"__proto__":{"a":1}}}',
  );
  expect(() => parseContext(written)).toThrow(expect.objectContaining({ code: 'CONTEXT_INVALID' }));
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});
