import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import {
  HOST_ERRORS,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  RequestError,
  Requests,
  toErrorResponse,
  toNotification,
  toRequest,
  toResponse,
} from '../../src/protocol/channel.ts';

/** One end that asks, and what the other end hears of it. */
class Asker {
  readonly sent: { id?: number; method?: string; params?: unknown }[] = [];
  readonly waits: boolean[] = [];
  readonly requests = new Requests({
    send: (json) => void this.sent.push(JSON.parse(json)),
    onWaiting: (isWaiting) => void this.waits.push(isWaiting),
  });

  constructor() {
    this.requests.open();
  }

  get ids(): (number | undefined)[] {
    return this.sent.map(({ id }) => id);
  }
}

describe('a request', () => {
  test('is answered by the response of its id, in whatever order they come', async () => {
    const { requests, sent } = new Asker();
    const [first, second] = [requests.request('a', '{"x":1}'), requests.request('b', '[]')];
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'a', params: { x: 1 } },
      { jsonrpc: '2.0', id: 2, method: 'b', params: [] },
    ]);
    requests.take({ id: 2, result: 'two' });
    requests.take({ id: 1, result: null });
    expect(await Promise.all([first, second])).toEqual([null, 'two']);
  });

  test('fails with the code and the message of the other end', async () => {
    const { requests } = new Asker();
    const asked = requests.request('a', '{}');
    requests.take({ id: 1, error: { code: -32601, message: 'no such method' } });
    await expect(asked).rejects.toThrow(new RequestError({ code: -32601, message: 'no such method' }));
    await expect(asked).rejects.toMatchObject({ code: -32601 });
  });

  test('beyond the limit of open ones waits for its turn', async () => {
    const asker = new Asker();
    const all = Array.from({ length: MAX_OPEN_REQUESTS + 3 }, () => asker.requests.request('a', '{}'));
    expect(asker.ids.length).toBe(MAX_OPEN_REQUESTS);
    asker.requests.take({ id: 5, result: 5 });
    expect(asker.ids.length).toBe(MAX_OPEN_REQUESTS + 1);
    for (let id = 1; id <= all.length; id++) asker.requests.take({ id, result: id });
    expect((await Promise.all(all)).length).toBe(all.length);
  });

  test('that cannot be sent fails, and no longer counts as open', async () => {
    let isBroken = true;
    const requests = new Requests({
      send: () => {
        if (isBroken) throw new Error('EPIPE');
      },
      onWaiting: () => {},
    });
    requests.open();
    const failed = await Promise.allSettled(Array.from({ length: 40 }, () => requests.request('a', '{}')));
    expect(failed.every(({ status }) => status === 'rejected')).toBe(true);
    isBroken = false;
    const asked = requests.request('a', '{}');
    requests.take({ id: 41, result: 'sent' });
    expect(await asked).toBe('sent');
  });

  test('is refused when no call is under way', async () => {
    const requests = new Requests({
      send: () => expect.unreachable(),
      onWaiting: () => expect.unreachable(),
    });
    await expect(requests.request('a', '{}')).rejects.toThrow('the call that asked is over');
    requests.open();
    requests.close();
    await expect(requests.request('a', '{}')).rejects.toThrow('the call that asked is over');
  });
});

describe('the signal of a request', () => {
  test('sends nothing when it was aborted before', async () => {
    const { requests, sent, waits } = new Asker();
    const reason = new Error('mine');
    await expect(requests.request('a', '{}', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect({ sent, waits }).toEqual({ sent: [], waits: [] });
  });

  test('ends the wait and informs the other end, and the request counts as open until the answer', async () => {
    const { requests, sent } = new Asker();
    const aborting = new AbortController();
    const all = Array.from({ length: MAX_OPEN_REQUESTS }, () => requests.request('a', '{}', aborting.signal));
    const queued = requests.request('b', '{}');
    const reason = new Error('mine');
    aborting.abort(reason);
    for (const asked of all) await expect(asked).rejects.toBe(reason);
    expect(sent.slice(MAX_OPEN_REQUESTS)).toEqual(
      all.map((_, index) => ({ jsonrpc: '2.0', method: 'cancelRequest', params: { id: index + 1 } })),
    );
    requests.take({ id: 1, error: { code: HOST_ERRORS.cancelled, message: 'cancelled' } });
    expect(sent.at(-1)).toMatchObject({ method: 'b' });
    requests.take({ id: MAX_OPEN_REQUESTS + 1, result: 'b' });
    expect(await queued).toBe('b');
  });

  test('removes a queued request without a message', async () => {
    const { requests, sent } = new Asker();
    const aborting = new AbortController();
    for (let open = 0; open < MAX_OPEN_REQUESTS; open++) void requests.request('a', '{}');
    const queued = requests.request('b', '{}', aborting.signal);
    aborting.abort(new Error('mine'));
    await expect(queued).rejects.toThrow('mine');
    requests.take({ id: 1, result: null });
    expect(sent.length).toBe(MAX_OPEN_REQUESTS);
  });

  test('has no listener left after the answer', async () => {
    const { requests } = new Asker();
    const { signal } = new AbortController();
    const asked = requests.request('a', '{}', signal);
    requests.take({ id: 1, result: 1 });
    await asked;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

test('the end of a call ends its requests, and late responses do not reach the next call', async () => {
  const { requests, ids, waits } = new Asker();
  const asked = Array.from({ length: 40 }, () => requests.request('a', '{}'));
  requests.close();
  for (const each of asked) await expect(each).rejects.toThrow('the call that asked is over');
  expect(waits).toEqual([true, false]);
  requests.open();
  const next = requests.request('b', '{}');
  requests.take({ id: 1, result: 'late' });
  requests.take({ id: 999, result: 'never asked' });
  requests.take({ id: MAX_OPEN_REQUESTS + 1, result: 'next' });
  expect(await next).toBe('next');
  expect(ids).toEqual([...new Set(ids)]);
});

test('the process stays alive while a request is open', async () => {
  const { requests, waits } = new Asker();
  const aborting = new AbortController();
  const [first, second] = [requests.request('a', '{}'), requests.request('b', '{}', aborting.signal)];
  expect(waits).toEqual([true]);
  requests.take({ id: 1, result: 1 });
  await first;
  expect(waits).toEqual([true]);
  aborting.abort();
  await expect(second).rejects.toThrow();
  expect(waits).toEqual([true, false]);
});

test('a plugin that replaced built-in objects still gets answers', async () => {
  const { requests, sent } = new Asker();
  const { get } = Map.prototype;
  const { addEventListener } = EventTarget.prototype;
  const broken = (): never => {
    throw new Error('replaced');
  };
  Object.assign(Map.prototype, { get: broken });
  Object.assign(EventTarget.prototype, { addEventListener: broken });
  try {
    const { signal } = new AbortController();
    const asked = requests.request('a', '{}', signal);
    requests.take({ id: 1, result: 'whole' });
    expect(await asked).toBe('whole');
  } finally {
    Object.assign(Map.prototype, { get });
    Object.assign(EventTarget.prototype, { addEventListener });
  }
  expect(sent.length).toBe(1);
});

/** A red pin asks: is this deliberate? Runners of older images speak what is written here. */
test('the forms of the messages, the codes and the limits are fixed', () => {
  expect([
    toRequest(1, 'fetch', '{"a":1}'),
    toNotification('progress', '{"fraction":1}'),
    toResponse(1, 'null'),
    toErrorResponse(null, { code: -32600, message: 'a "b"' }),
  ]).toEqual([
    '{"jsonrpc":"2.0","id":1,"method":"fetch","params":{"a":1}}',
    '{"jsonrpc":"2.0","method":"progress","params":{"fraction":1}}',
    '{"jsonrpc":"2.0","id":1,"result":null}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"a \\"b\\""}}',
  ]);
  expect({ HOST_ERRORS, MAX_OPEN_REQUESTS, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES }).toEqual({
    HOST_ERRORS: {
      invalidRequest: -32600,
      methodNotFound: -32601,
      invalidParams: -32602,
      internal: -32603,
      notServed: -32010,
      tooManyOpen: -32011,
      tooLarge: -32012,
      cancelled: -32013,
    },
    MAX_OPEN_REQUESTS: 16,
    MAX_REQUEST_BYTES: 262_144,
    MAX_RESPONSE_BYTES: 1_048_576,
  });
});
