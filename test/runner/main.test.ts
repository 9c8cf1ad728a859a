import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseRunnerMessage } from '../../src/protocol/runner-message.ts';
import { RunnerProcess, runPlugin } from './run.ts';

const plugin = (body: string): { code: string } => ({
  code: `export const execute = async (context, host) => { ${body} };`,
});

test('the runner first sends `ready` with the protocol and the version of Node', async () => {
  const { messages } = await runPlugin(plugin('return 1;'));
  expect(messages[0]).toEqual({
    jsonrpc: '2.0',
    method: 'ready',
    params: { protocol: 1, node: process.version },
  });
});

describe.concurrent('a result is', () => {
  test.each([
    [
      'what the plugin returned',
      'return { text: "grüß 👋\\u001e\\n", list: [1, null] };',
      { text: 'grüß 👋\u001e\n', list: [1, null] },
    ],
    ['what its promise came to', 'return new Promise((resolve) => setTimeout(resolve, 5, 42));', 42],
    ['null, of nothing', '', null],
    [
      'what JSON makes of it',
      'return { at: new Date(0), u: undefined };',
      { at: '1970-01-01T00:00:00.000Z' },
    ],
    ['the context, as it was given', 'return context;', { executionId: 'e1', inputData: { a: 1 } }],
  ])('%s', async (_title, body, result) => {
    const { response } = await runPlugin(plugin(body), { a: 1 });
    expect(response).toEqual({ jsonrpc: '2.0', id: 1, result });
  });
});

describe.concurrent('an error is', () => {
  test.each([
    ['what the plugin threw', 'throw new RangeError("no");', -32001, 'no'],
    ['what it rejected with', 'return Promise.reject("no");', -32001, 'a thrown string: no'],
    [
      'a throw in a timer',
      'setTimeout(() => { throw new Error("late"); }); await new Promise(() => {});',
      -32005,
      'late',
    ],
    [
      'a rejection that nobody waits for',
      'Promise.reject(new Error("lost")); await new Promise(() => {});',
      -32005,
      'lost',
    ],
    [
      'a rejection that nobody waits for, with what is no error',
      'Promise.reject({ status: 402 }); await new Promise(() => {});',
      -32005,
      'a thrown object: {"status":402}',
    ],
    [
      'a result that contains itself',
      'const a = {}; a.a = a; return a;',
      -32004,
      '`result.a` is `result` again',
    ],
    ['a function', 'return () => 1;', -32004, '`result` is a function'],
    ['a symbol', 'return Symbol("x");', -32004, '`result` is a symbol'],
    [
      'a result that is too large',
      'return { a: "x".repeat(70_000_000) };',
      -32006,
      '`result.a` has 70000002 bytes',
    ],
    [
      'a result that is too deep',
      'let a = []; for (let i = 0; i < 100; i++) a = [a]; return a;',
      -32006,
      'deeper than 64 levels',
    ],
    ['a result of too many values', 'return { list: Array(200_000).fill(0) };', -32006, '`result.list'],
    ['a `toJSON` that throws', 'return { toJSON() { throw new Error("no JSON"); } };', -32004, 'no JSON'],
    ['nothing left to wait for', 'await new Promise(() => {});', -32003, 'nothing is left to wait for'],
    [
      'nothing left to wait for after a while',
      'await new Promise((resolve) => setTimeout(resolve, 20)); await new Promise(() => {});',
      -32003,
      'nothing is left to wait for',
    ],
  ])('%s', async (_title, body, code, message) => {
    const { response, messages } = await runPlugin(plugin(body));
    expect(response?.error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(parseRunnerMessage(response)).toMatchObject({ kind: 'error' });
    expect(messages.filter(({ id }) => id !== undefined)).toHaveLength(1);
  });
});

describe.concurrent('a failure inside a result is reported with its path:', () => {
  test.each([
    [
      'a promise that is rejected',
      'return { rows: [1, Promise.reject(new Error("no rate", { cause: new Error("closed") }))] };',
      'no rate (at `result.rows[1]`) (caused by Error: closed)',
    ],
    [
      'one that is rejected while another is waited for',
      'return { a: new Promise((done) => setTimeout(done, 30)), b: Promise.reject(new Error("early")) };',
      'early (at `result.b`)',
    ],
    [
      'one that is rejected with a text',
      'return { a: { then(_, reject) { reject("no"); } } };',
      'a thrown string: no (at `result.a`)',
    ],
    [
      'a generator that throws',
      'return { lines: (function* () { yield 1; throw new TypeError("bad line"); })() };',
      'bad line (at `result.lines`)',
    ],
  ])('%s', async (_title, body, message) => {
    const { response } = await runPlugin(plugin(body));
    expect(response?.error).toMatchObject({ code: -32001, message });
  });

  test('with the earlier warnings about other values', async () => {
    const { messages } = await runPlugin(plugin('return { mean: NaN, page: new Response("x") };'));
    const told = messages.slice(1).map(({ method, params, error }) => method ?? error?.message ?? params);
    expect(told.slice(0, 2)).toEqual(['warning', expect.stringContaining('`result.page` is a Response')]);
    expect(messages[1]?.params).toMatchObject({ path: 'result.mean' });
  });
});

describe.concurrent('an unhandled rejection is left to a plugin that listens', () => {
  test.each([
    ['to rejections', 'unhandledRejection', '[{"why":1}]'],
    ['to all that nobody catches', 'uncaughtException', '["ERR_UNHANDLED_REJECTION","unhandledRejection"]'],
  ])('%s', async (_title, event, heard) => {
    const { response } = await runPlugin(
      plugin(`
        const heard = new Promise((resolve) => process.on('${event}', (thrown, origin) =>
          resolve(JSON.stringify([thrown.code ?? thrown, typeof origin === 'string' ? origin : undefined].filter(Boolean)))));
        Promise.reject({ why: 1 });
        return await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 5_000, 'nothing'))]);
      `),
    );
    expect(response?.result).toBe(heard);
  });
});

describe.concurrent('no response comes from a plugin that', () => {
  test.each<[string, string, number | string]>([
    ['exits with 0', 'process.exit(0);', 0],
    ['exits with 7', 'process.exit(7);', 7],
    ['exits without asking', 'process.reallyExit(3);', 3],
    ['aborts', 'process.abort();', 'SIGABRT'],
    ['kills itself', 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {});', 'SIGKILL'],
  ])('%s', async (_title, body, ended) => {
    const runner = await runPlugin(plugin(body));
    expect(runner.response).toBeUndefined();
    expect(await runner.ended).toBe(ended);
  });
});

describe.concurrent('there is exactly one response', () => {
  const responsesOf = async (body: string) => {
    const { messages } = await runPlugin(plugin(body));
    return messages.filter(({ id }) => id !== undefined);
  };

  test('although the plugin throws after it answered', async () => {
    const body = 'setImmediate(() => { throw new Error("after"); }); return 1;';
    expect(await responsesOf(body)).toEqual([expect.objectContaining({ result: 1 })]);
  });

  test('although the plugin fails twice', async () => {
    const body =
      'Promise.reject(new Error("first")); setTimeout(() => { throw new Error("second"); }); await new Promise(() => {});';
    const responses = await responsesOf(body);
    expect(responses).toEqual([
      expect.objectContaining({ error: expect.objectContaining({ message: 'first' }) }),
    ]);
  });
});

const LANGUAGE: readonly [title: string, body: string][] = [
  ['`JSON`', 'JSON.stringify = () => "0"; JSON.parse = () => 0;'],
  ['`Buffer`', 'Buffer.from = () => { throw new Error("no"); };'],
  [
    '`toJSON` of everything',
    'Object.prototype.toJSON = () => "forged"; String.prototype.toJSON = () => "forged";',
  ],
  [
    'methods of strings',
    'for (const name of ["slice", "endsWith", "replace", "split"]) String.prototype[name] = () => "forged";',
  ],
  [
    'methods of functions',
    'Function.prototype.call = () => 0; Function.prototype.apply = () => 0; Function.prototype.bind = () => 0;',
  ],
  [
    '`Reflect` and `Object`',
    'Reflect.get = Reflect.apply = () => 0; Object.freeze = Object.keys = () => [];',
  ],
  ['`Number` and `String`', 'Number.isFinite = () => false; globalThis.String = () => "forged";'],
  ['`Atomics`', 'Atomics.wait = () => { throw new Error("no"); };'],
  ['the console', 'globalThis.console = null;'],
  ['`process`', 'process.exit = () => {}; process.removeAllListeners();'],
];

describe.concurrent('a plugin that changes the language', () => {
  test.each([
    ...LANGUAGE,
    [
      '`pop`, which Node itself uses after each callback',
      'Array.prototype.pop = () => { throw new Error("no"); };',
    ],
    ['`then` of promises', 'Promise.prototype.then = () => { throw new Error("no"); };'],
    [
      'every iterator',
      '[][Symbol.iterator]().__proto__.next = Array.prototype[Symbol.iterator] = () => { throw new Error("no"); };',
    ],
    [
      'a getter of everything',
      'for (const name of ["toJSON", "then", "id"]) Object.defineProperty(Object.prototype, name, { get() { throw new Error("no"); }, set() {} });',
    ],
    [
      'everything that has a name',
      'for (const name of ["JSON", "Buffer", "Reflect", "Promise", "Error", "Map", "Number", "BigInt", "process", "console"]) delete globalThis[name];',
    ],
  ])('in %s still returns its result', async (_title, body) => {
    const { response } = await runPlugin(plugin(`process.stdout; ${body} return "mine";`));
    expect(response).toMatchObject({ id: 1, result: 'mine' });
  });

  test.each([
    ['`then` of promises', 'Promise.prototype.then = () => { throw new Error("no"); };'],
    [
      'every iterator',
      '[][Symbol.iterator]().__proto__.next = Array.prototype[Symbol.iterator] = () => { throw new Error("no"); };',
    ],
    [
      'names',
      'for (const name of ["JSON", "Promise", "Error", "Map", "Number", "BigInt"]) delete globalThis[name];',
    ],
  ])('in %s still returns lists, objects and converted values', async (_title, body) => {
    const result = '{ rows: [1, { a: 2n }], nothing: NaN, fault: new RangeError("r", { cause: 1 }) }';
    const { response, messages } = await runPlugin(
      plugin(`const result = ${result}; ${body} return result;`),
    );
    expect(response?.result).toEqual({
      rows: [1, { a: 2 }],
      nothing: null,
      fault: { name: 'RangeError', message: 'r', cause: 1 },
    });
    expect(messages.filter(({ method }) => method === 'warning')).toHaveLength(1);
  });

  test.each([
    ['`JSON`', 'JSON.stringify = () => "0"; JSON.parse = () => 0;'],
    [
      'methods of strings and lists',
      'for (const prototype of [String.prototype, Array.prototype]) for (const name of ["indexOf", "slice", "join", "push"]) prototype[name] = () => { throw new Error("no"); };',
    ],
  ])('in %s still reports the causes of what it threw', async (_title, body) => {
    const thrown = 'new Error("outer", { cause: Object.assign(new Error("inner"), { code: "E1" }) })';
    const { response } = await runPlugin(plugin(`const thrown = ${thrown}; ${body} throw thrown;`));
    expect(response?.error?.message).toBe('outer (caused by Error: inner [E1])');
  });

  test.each(LANGUAGE)('in %s still reports what it threw and logged', async (_title, body) => {
    const code = `${body} host.log('warn', 'logged'); throw new RangeError('thrown');`;
    const { messages, response } = await runPlugin(plugin(code));
    expect(response?.error).toMatchObject({ code: -32001, message: 'thrown', data: { name: 'RangeError' } });
    expect(messages).toContainEqual({
      jsonrpc: '2.0',
      method: 'log',
      params: { level: 'warn', message: 'logged' },
    });
  });
});

describe.concurrent('`host.progress`', () => {
  test('is passed on as given', async () => {
    const { messages } = await runPlugin(plugin('host.progress(0.25, "a \\"b\\""); host.progress(1);'));
    const told = messages.flatMap(({ method, params }) => (method === 'progress' ? [params] : []));
    expect(told).toEqual([
      { fraction: 0.25, message: 'a "b"' },
      { fraction: 1, message: '' },
    ]);
  });

  test.each([
    ['-0.1', [0]],
    ['1.1', [1]],
    ['1/0', [1]],
    ['NaN', []],
    ['"0.5"', []],
    ['{ valueOf: () => 0.5 }', []],
    ['undefined', []],
  ])('of %s does not fail a call: it is clamped or left out, with one warning', async (fraction, told) => {
    const { messages, response } = await runPlugin(
      plugin(`host.progress(${fraction}); host.progress(${fraction}); return 1;`),
    );
    expect(response).toMatchObject({ result: 1 });
    const fractions = messages.flatMap(({ method, params }) =>
      method === 'progress' ? [params?.['fraction']] : [],
    );
    expect(fractions).toEqual([...told, ...told]);
    expect(messages.filter(({ method }) => method === 'warning')).toHaveLength(1);
  });

  test('of a rounded sum of fractions gives no warning', async () => {
    const { messages } = await runPlugin(
      plugin('let sum = 0; for (let i = 0; i < 9; i++) host.progress(sum += 1 / 9); return sum;'),
    );
    expect(messages.filter(({ method }) => method === 'progress').at(-1)).toMatchObject({
      params: { fraction: 1 },
    });
    expect(messages.filter(({ method }) => method === 'warning')).toEqual([]);
  });
});

test.each([
  [
    'imports `node:process`',
    "import process from 'node:process'; export const execute = () => process.pid > 0;",
  ],
  [
    'reads to the end of its stdin',
    'export const execute = async () => (await Array.fromAsync(process.stdin)).length === 0;',
  ],
])('a plugin that %s does not touch the channel', async (_title, code) => {
  const { response } = await runPlugin({ code });
  expect(response).toMatchObject({ result: true });
});

test('a plugin cannot change `host` for other code in its process', async () => {
  const { response } = await runPlugin(plugin('host.log = null;'));
  expect(response?.error).toMatchObject({ data: { name: 'TypeError' } });
});

describe.concurrent('a host that', () => {
  test('cancels aborts `host.signal`, and the plugin may still answer', async () => {
    await using runner = new RunnerProcess(
      plugin(`
        const timer = setInterval(() => {}, 1000);
        console.log('waiting');
        await new Promise((resolve) => host.signal.addEventListener('abort', resolve));
        clearInterval(timer);
        return host.signal.reason.message;`),
    );
    await runner.execute();
    await runner.heard(({ method }) => method === 'log');
    runner.send({ method: 'cancel' });
    expect(await runner.heard(({ id }) => id === 1)).toMatchObject({ result: 'the execution was cancelled' });
  });

  test('closes the channel before a request ends the runner', async () => {
    await using runner = new RunnerProcess(plugin(''));
    await runner.heard(({ method }) => method === 'ready');
    runner.hangUp();
    expect(await runner.ended).toBe(85);
  });

  test.each([
    ['waits', 'setInterval(() => {}, 1000); console.log("up"); await new Promise(() => {});'],
    [
      'replaced `process.exit`',
      'setInterval(() => {}, 1000); process.exit = () => {}; console.log("up"); await new Promise(() => {});',
    ],
  ])('closes the channel ends a plugin that %s', async (_title, body) => {
    await using runner = new RunnerProcess(plugin(body));
    await runner.execute();
    await runner.heard(({ method }) => method === 'log');
    runner.hangUp();
    expect(await runner.ended).toBe(85);
  });

  test('keeps the channel open keeps the runner after the response', async () => {
    await using runner = new RunnerProcess(plugin('return 1;'));
    await runner.execute();
    await runner.heard(({ id }) => id === 1);
    expect(await Promise.race([runner.ended, delay(300, 'still there')])).toBe('still there');
  });

  test('sends an unknown message gets no answer', async () => {
    await using runner = new RunnerProcess(plugin('return 1;'));
    runner.send({ method: 'strange' });
    await runner.execute();
    expect(await runner.heard(({ id }) => id === 1)).toMatchObject({ result: 1 });
    await runner.heard(({ method }) => method === 'settled');
    expect(runner.messages.map(({ id, method }) => method ?? id)).toEqual(['ready', 'settled', 1]);
  });

  test.each([
    ['as it is', ''],
    ['after the plugin made it non-blocking', 'process.stdout.write("touched\\n");'],
  ])('reads slowly gets a large result whole, from a pipe %s', async (_title, touch) => {
    await using runner = new RunnerProcess(plugin(`${touch} return 'x'.repeat(5_000_000);`));
    await runner.heard(({ method }) => method === 'ready');
    runner.pause();
    await runner.execute();
    await delay(300);
    runner.resume();
    const response = await runner.heard(({ id }) => id === 1);
    expect(response?.result).toHaveLength(5_000_000);
  });
});
