import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { HostMethod } from '../../src/host/methods.ts';
import { HOST_METHODS } from '../../src/host/methods.ts';
import { RequestServer } from '../../src/host/request-server.ts';
import { RequestError } from '../../src/protocol/channel.ts';
import type { RunnerRequest } from '../../src/protocol/runner-message.ts';

interface Reply {
  readonly id: number | null;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A server whose replies are read, until they are not. */
class Stage {
  readonly replies: Reply[] = [];
  readonly failures: unknown[] = [];
  readonly call = new AbortController();
  readonly #unread: (() => void)[] = [];
  readonly #server: RequestServer;
  isRead = true;

  constructor(methods: Readonly<Record<string, HostMethod>> = {}) {
    this.#server = new RequestServer({
      methods: new Map(Object.entries(methods)),
      send: (json) => {
        this.replies.push(JSON.parse(json));
        if (this.isRead) return Promise.resolve();
        return new Promise((resolve) => this.#unread.push(resolve));
      },
      onFailure: (method, error) => this.failures.push([method, error]),
    });
  }

  ask(
    request: Partial<Extract<RunnerRequest, { kind: 'request' }>> | RunnerRequest,
    { bytes = 100, signal = this.call.signal as AbortSignal | null } = {},
  ): Promise<void> | undefined {
    const whole = { kind: 'request', id: 1, method: 'echo', params: undefined, ...request } as RunnerRequest;
    return this.#server.take(whole, bytes, signal);
  }

  close(): void {
    this.#server.close();
  }

  readAll(): void {
    this.isRead = true;
    for (const read of this.#unread.splice(0)) read();
  }
}

const echo: HostMethod = (params) => params;
const forever: HostMethod = () => new Promise(() => {});

test('no request of a plugin has a handler yet', () => {
  expect([...HOST_METHODS.keys()]).toEqual([]);
});

test.each<[string, HostMethod, unknown]>([
  ['a value', echo, { a: [1, null] }],
  ['a promise', async () => 'later', 'later'],
  ['nothing', () => undefined, null],
])('the value of a handler is the result: %s', async (_title, handler, result) => {
  const stage = new Stage({ echo: handler });
  stage.ask({ id: 7, params: { a: [1, null] } });
  await delay(1);
  expect(stage.replies).toEqual([{ jsonrpc: '2.0', id: 7, result }]);
});

test.each<[string, HostMethod, number, RegExp]>([
  [
    'what a handler says why not',
    () => {
      throw new RequestError({ code: -32602, message: 'expected a URL' });
    },
    -32602,
    /^expected a URL$/,
  ],
  [
    'nothing of what went wrong in the host',
    async () => {
      throw new Error('/home/ada/secret');
    },
    -32603,
    /^the host failed/,
  ],
  [
    'that the answer is too large',
    () => 'x'.repeat(1024 * 1024),
    -32012,
    /the answer has more than 1048576 bytes/,
  ],
  ['that the answer has no form', () => 1n, -32603, /^the host failed/],
])('the plugin gets an error that says %s', async (_title, handler, code, message) => {
  const stage = new Stage({ echo: handler });
  stage.ask({});
  await delay(1);
  expect(stage.replies).toEqual([
    { jsonrpc: '2.0', id: 1, error: { code, message: expect.stringMatching(message) } },
  ]);
  expect(stage.failures.length).toBe(code === -32603 ? 1 : 0);
});

test.each<[string, RunnerRequest, number, object, number, number | null]>([
  ['for a method that nobody knows', request({ method: 'fetch' }), 100, {}, -32601, 1],
  ['for a method that every object has', request({ method: 'constructor' }), 100, {}, -32601, 1],
  ['that is none', { kind: 'badRequest', id: null, reason: 'r' }, 100, {}, -32600, null],
  ['that is none, and has an id', { kind: 'badRequest', id: 4, reason: 'r' }, 100, {}, -32600, 4],
  ['that is too large', request({}), 256 * 1024 + 1, {}, -32012, 1],
  ['while nobody calls', request({}), 100, { signal: null }, -32010, 1],
  ['after the call', request({}), 100, { signal: AbortSignal.abort() }, -32010, 1],
])('a request is refused %s', (_title, asked, bytes, options, code, id) => {
  const stage = new Stage({ echo: () => expect.unreachable() });
  expect(stage.ask(asked, { bytes, ...options })).toBeUndefined();
  expect(stage.replies).toEqual([
    { jsonrpc: '2.0', id, error: { code, message: expect.stringMatching(/./) } },
  ]);
});

test('the number of open requests is bounded, each with its own id', async () => {
  const stage = new Stage({ forever });
  for (let id = 1; id <= 17; id++) stage.ask({ id, method: 'forever' });
  stage.ask({ id: 3, method: 'forever' });
  await delay(1);
  expect(stage.replies.map(({ id, error }) => [id, error?.code])).toEqual([
    [17, -32011],
    [3, -32600],
  ]);
});

test('a request counts as open until its answer was read', async () => {
  const stage = new Stage({ echo });
  stage.isRead = false;
  for (let id = 1; id <= 17; id++) stage.ask({ id });
  await delay(1);
  expect(stage.replies.filter(({ error }) => error).map(({ id }) => id)).toEqual([17]);
  stage.readAll();
  await delay(1);
  stage.ask({ id: 18 });
  await delay(1);
  expect(stage.replies.at(-1)).toEqual({ jsonrpc: '2.0', id: 18, result: null });
});

test('the reading pauses for a container that does not read refusals', async () => {
  const stage = new Stage();
  stage.isRead = false;
  const waits = Array.from({ length: 66 }, (_, id) => stage.ask({ id }));
  expect(waits.filter((wait) => wait !== undefined).length).toBe(2);
  let isReadOn = false;
  void waits.at(-1)?.then(() => {
    isReadOn = true;
  });
  await delay(1);
  expect(isReadOn).toBe(false);
  stage.readAll();
  await delay(1);
  expect(isReadOn).toBe(true);
  expect(stage.ask({})).toBeUndefined();
});

test('a container that is being ended is read on, but no longer answered', async () => {
  const stage = new Stage();
  stage.isRead = false;
  const waits = Array.from({ length: 66 }, (_, id) => stage.ask({ id }));
  stage.close();
  await waits.at(-1);
  expect(stage.ask({ id: 99 })).toBeUndefined();
  expect(stage.replies.length).toBe(66);
});

test('a cancelled request ends its handler, and is answered', async () => {
  const signals: AbortSignal[] = [];
  const stage = new Stage({
    forever: (_params, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  stage.ask({ id: 1, method: 'forever' });
  stage.ask({ id: 2, method: 'forever' });
  stage.ask({ kind: 'cancelRequest', id: 1 });
  stage.ask({ kind: 'cancelRequest', id: 9 });
  await delay(1);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  expect(stage.replies).toEqual([
    { jsonrpc: '2.0', id: 1, error: { code: -32013, message: 'the request was cancelled' } },
  ]);
});

test('the end of a call ends its handlers, and sends no answers', async () => {
  const signals: AbortSignal[] = [];
  const stage = new Stage({
    forever: (_params, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  for (let id = 1; id <= 16; id++) stage.ask({ id, method: 'forever' });
  stage.call.abort();
  await delay(1);
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
  expect(stage.replies).toEqual([]);
  // Their places are free for the next call.
  stage.ask({ id: 1, method: 'forever' }, { signal: new AbortController().signal });
  await delay(1);
  expect(stage.replies).toEqual([]);
  expect(signals.length).toBe(17);
});

function request(fields: object): RunnerRequest {
  return { kind: 'request', id: 1, method: 'echo', params: undefined, ...fields };
}
