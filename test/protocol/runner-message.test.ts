import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  EXECUTE_ID,
  LOAD_ID,
  LOG_LEVELS,
  PROTOCOL_VERSION,
  RUNNER_ERRORS,
} from '../../src/protocol/messages.ts';
import {
  ErrorSchema,
  LogSchema,
  ProgressSchema,
  parseRunnerMessage,
  ReadySchema,
  ResultSchema,
} from '../../src/protocol/runner-message.ts';

const message = (fields: object): object => ({ jsonrpc: '2.0', ...fields });
const log = (params: unknown): object => message({ method: 'log', params });
const progress = (params: unknown): object => message({ method: 'progress', params });
const failure = (error: unknown): object => message({ id: 1, error });

describe('a message of the runner is accepted:', () => {
  test.each<[string, object, object]>([
    [
      'ready',
      message({ method: 'ready', params: { protocol: 1, node: 'v24.15.0' } }),
      { kind: 'ready', protocol: 1, node: 'v24.15.0' },
    ],
    ['a log line', log({ level: 'warn', message: 'm' }), { kind: 'log', level: 'warn', message: 'm' }],
    [
      'progress',
      progress({ fraction: 0.5, message: 'm' }),
      { kind: 'progress', fraction: 0.5, message: 'm' },
    ],
    ['progress without words', progress({ fraction: 0 }), { kind: 'progress', fraction: 0 }],
    ['a result', message({ id: 1, result: { a: [1] } }), { kind: 'result', id: 1, result: { a: [1] } }],
    ['the result null', message({ id: 1, result: null }), { kind: 'result', id: 1, result: null }],
    ['the result false', message({ id: 1, result: false }), { kind: 'result', id: 1, result: false }],
    [
      'an error',
      failure({ code: -32001, message: 'm' }),
      { kind: 'error', id: 1, code: -32001, message: 'm' },
    ],
    [
      'an error with name and stack',
      failure({ code: 1, message: 'm', data: { name: 'n', stack: 's' } }),
      { kind: 'error', id: 1, code: 1, message: 'm', data: { name: 'n', stack: 's' } },
    ],
    [
      'an error beside a result, as an error',
      message({ id: 1, result: 1, error: { code: 1, message: 'm' } }),
      { kind: 'error', id: 1, code: 1, message: 'm' },
    ],
    [
      'a message with fields that nobody knows, without them',
      message({ id: 1, extra: 1, error: { code: 1, message: 'm', extra: 1, data: { name: 'n', extra: 1 } } }),
      { kind: 'error', id: 1, code: 1, message: 'm', data: { name: 'n' } },
    ],
    [
      'a request, whoever serves it',
      message({ id: 7, method: 'execute', params: { a: 1 } }),
      { kind: 'request', id: 7, method: 'execute', params: { a: 1 } },
    ],
    [
      'a request without parameters',
      message({ id: 0, method: 'fetch' }),
      { kind: 'request', id: 0, method: 'fetch' },
    ],
    [
      'a request that has the name of a notification, as a request',
      message({ id: 1, method: 'log', params: { level: 'info', message: 'm' } }),
      { kind: 'request', id: 1, method: 'log', params: { level: 'info', message: 'm' } },
    ],
    [
      'that nobody waits for a response',
      message({ method: 'cancelRequest', params: { id: 7 } }),
      { kind: 'cancelRequest', id: 7 },
    ],
    [
      'a notification that claims to be another kind, as what it is',
      message({ method: 'log', kind: 'result', params: { level: 'info', message: 'm', kind: 'result' } }),
      { kind: 'log', level: 'info', message: 'm' },
    ],
  ])('%s', (_title, record, expected) => {
    expect(parseRunnerMessage(record)).toEqual(expected);
  });
});

describe('an invalid request that can be answered has', () => {
  test.each<[string, object, number | null]>([
    ['no version', { id: 1, method: 'fetch' }, 1],
    ['a method that is no text', message({ id: 1, method: {} }), 1],
    ['no parameters, but a number', message({ id: 1, method: 'fetch', params: 7 }), 1],
    ['no parameters, but null', message({ id: 1, method: 'fetch', params: null }), 1],
    ['no id, but null', message({ id: null, method: 'fetch' }), null],
    ['an id that is a text', message({ id: '1', method: 'fetch' }), null],
    ['an id that is no whole number', message({ id: 1.5, method: 'fetch' }), null],
    ['an id below 0', message({ id: -1, method: 'fetch' }), null],
    ['an id that two numbers share', message({ id: 2 ** 53, method: 'fetch' }), null],
    ['an id that is an object', message({ id: {}, method: 'fetch' }), null],
  ])('%s', (_title, record, id) => {
    expect(parseRunnerMessage(record)).toEqual({ kind: 'badRequest', id, reason: expect.any(String) });
  });
});

describe('a message of the runner is refused:', () => {
  test.each<[string, unknown, RegExp]>([
    ['null', null, /not an object/],
    ['a list', [message({ id: 1, result: 1 })], /not an object/],
    ['a text', 'ready', /not an object/],
    ['an empty object', {}, /a response that is none/],
    ['another version of JSON-RPC', { jsonrpc: '1.0', id: 1, result: 1 }, /a response that is none/],
    ['a message without a version', { id: 1, result: 1 }, /a response that is none/],
    ['a method that nobody knows', message({ method: 'fetch' }), /a method nobody knows/],
    ['a method that every object has', message({ method: 'constructor' }), /a method nobody knows/],
    ['a method that is no text', message({ method: 1 }), /a method nobody knows/],
    ['a cancellation of nothing', message({ method: 'cancelRequest', params: {} }), /`cancelRequest`/],
    ['ready without parameters', message({ method: 'ready' }), /`ready` notification/],
    [
      'ready with half a version',
      message({ method: 'ready', params: { protocol: 1.5, node: '' } }),
      /`ready`/,
    ],
    ['a log line of a strange level', log({ level: 'fatal', message: 'm' }), /`log` notification/],
    ['a log line that is no text', log({ level: 'info', message: {} }), /`log` notification/],
    ['progress below 0', progress({ fraction: -0.1 }), /`progress` notification/],
    ['progress above 1', progress({ fraction: 1.1 }), /`progress` notification/],
    ['progress that is no number', progress({ fraction: '0.5' }), /`progress` notification/],
    ['a result for a request below all', message({ id: -1, result: 1 }), /a response that is none/],
    ['a result for the id as a text', message({ id: '1', result: 1 }), /a response that is none/],
    ['a response without a result', message({ id: 1 }), /a response that is none/],
    ['an error for no request', message({ id: null, error: { code: 1, message: 'm' } }), /error response/],
    ['an error without a code', failure({ message: 'm' }), /error response/],
    ['an error without words', failure({ code: 1 }), /error response/],
    ['an error that is null', failure(null), /error response/],
    ['a stack that is no text', failure({ code: 1, message: 'm', data: { stack: {} } }), /error response/],
  ])('%s', (_title, record, reason) => {
    expect(parseRunnerMessage(record)).toEqual({ kind: 'invalid', reason: expect.stringMatching(reason) });
  });
});

test('any JSON is accepted or refused without a throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, params) => {
      for (const record of [value, message({ method: 'log', params }), failure(params)]) {
        expect(parseRunnerMessage(record)).toHaveProperty('kind');
      }
    }),
  );
});

/** A red pin asks: is this deliberate? Runners of older images speak what is written here. */
describe('a frozen copy in this test shows that these have not changed:', () => {
  test('the numbers of the protocol', () => {
    expect({ PROTOCOL_VERSION, LOAD_ID, EXECUTE_ID, LOG_LEVELS, RUNNER_ERRORS }).toEqual({
      PROTOCOL_VERSION: 1,
      LOAD_ID: 0,
      EXECUTE_ID: 1,
      LOG_LEVELS: ['debug', 'info', 'warn', 'error'],
      RUNNER_ERRORS: {
        pluginFailed: -32001,
        notLoadable: -32002,
        noResult: -32003,
        notSerializable: -32004,
        uncaught: -32005,
        overLimit: -32006,
      },
    });
  });

  test.each([
    [
      'ready',
      ReadySchema,
      ['jsonrpc', 'method', 'params'],
      { protocol: 'integer', node: 'string', mounts: 'object' },
    ],
    ['log', LogSchema, ['jsonrpc', 'method', 'params'], { level: 'string', message: 'string' }],
    ['progress', ProgressSchema, ['jsonrpc', 'method', 'params'], { fraction: 'number', message: 'string' }],
    [
      'error',
      ErrorSchema,
      ['jsonrpc', 'id', 'error'],
      { code: 'integer', message: 'string', data: 'object' },
    ],
  ])('the fields of `%s`', (_name, schema, fields, inner) => {
    const { properties = {} } = z.toJSONSchema(schema);
    expect(Object.keys(properties)).toEqual(fields);
    const last = properties[fields.at(-1) as string] as { properties: Record<string, { type: string }> };
    const types = Object.entries(last.properties).map(([name, { type }]) => [name, type]);
    expect(Object.fromEntries(types)).toEqual(inner);
  });

  test('the fields of a result', () => {
    expect(Object.keys(ResultSchema.shape)).toEqual(['jsonrpc', 'id', 'result']);
  });
});
