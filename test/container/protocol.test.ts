import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPlugin, type Program, type TestPlugin } from '../helpers/workspace.ts';

/** The plugin owns its process, so it can write whatever it likes to stdout: every byte is judged by the host. */
let probe: TestPlugin;

beforeAll(async () => {
  probe = await createPlugin('protocol-probe');
});
afterAll(() => probe[Symbol.asyncDispose]());

/** Writes these bytes to stdout, given as latin1 text, and then waits to be judged. */
const forge: Program<string> = (bytes) => {
  process.getBuiltinModule('node:fs').writeSync(1, Buffer.from(bytes, 'latin1'));
  return new Promise((resolve) => setTimeout(resolve, 20_000));
};

const record = (json: string): string => `\u001e${json}\n`;
const result = (json: string): string => record(`{"jsonrpc":"2.0","id":1,"result":${json}}`);

describe('a record breaks the protocol when it', () => {
  test.each<[title: string, bytes: string, reason: RegExp]>([
    ['is no JSON', record('garbage'), /not valid JSON/],
    ['is empty', record(''), /expected JSON, got nothing/],
    ['is cut short by the next one', `\u001e{"jsonrpc":"2.0","id":1,"resu${result('1')}`, /not valid JSON/],
    ['is not UTF-8', result('"\xff\xfe"'), /not UTF-8/],
    ['has half a character', result('"\xe4\xbb"'), /not UTF-8/],
    ['starts with a byte order mark', record('\xef\xbb\xbf{}'), /not valid JSON/],
    ['holds NUL bytes', record('\0\0'), /not valid JSON/],
    ['is JSON with a comment', result('1/* one */'), /not valid JSON/],
    ['holds a number that JSON has not', result('NaN'), /not valid JSON/],
    ['is nested too deep', result(`${'['.repeat(5000)}${']'.repeat(5000)}`), /nested deeper than 65 levels/],
    ['has a key twice', result('{"a":1,"a":2}'), /`result\.a`: the key stands here twice/],
    [
      'has an integer of its own',
      result('{"id":1234567890123456789}'),
      /`result\.id`: a number cannot hold this/,
    ],
    [
      'has its result twice',
      record('{"jsonrpc":"2.0","id":1,"result":1,"result":2}'),
      /`result`: the key stands here twice/,
    ],
    ['is a list', record('[]'), /not an object/],
    ['is a text', record('"ready"'), /not an object/],
    [
      'names a method that nobody knows',
      record('{"jsonrpc":"2.0","method":"toString","params":{}}'),
      /a method nobody knows/,
    ],
    [
      'is `ready` again',
      record('{"jsonrpc":"2.0","method":"ready","params":{"protocol":1,"node":"v1"}}'),
      /`ready` came twice/,
    ],
    [
      'answers another request',
      record('{"jsonrpc":"2.0","id":2,"result":1}'),
      /a response came to request 2/,
    ],
    ['answers without a result', record('{"jsonrpc":"2.0","id":1}'), /a response that is none/],
    [
      'speaks another version of JSON-RPC',
      record('{"jsonrpc":"1.0","id":1,"result":1}'),
      /a response that is none/,
    ],
    [
      'has an error that is none',
      record('{"jsonrpc":"2.0","id":1,"error":"text"}'),
      /an error response that is none/,
    ],
    [
      'reports impossible progress',
      record('{"jsonrpc":"2.0","method":"progress","params":{"fraction":7}}'),
      /`progress` notification/,
    ],
    [
      'reports progress without an end',
      record('{"jsonrpc":"2.0","method":"progress","params":{"fraction":1e999}}'),
      /`params\.fraction`: a number cannot hold this/,
    ],
    [
      'logs at no level',
      record('{"jsonrpc":"2.0","method":"log","params":{"level":"loud","message":"x"}}'),
      /`log` notification/,
    ],
  ])('%s', async (_, bytes, reason) => {
    const { outcome, error } = await probe.run(forge, bytes);
    expect(outcome).toBe('PROTOCOL_ERROR');
    expect(error?.message).toMatch(reason);
    expect(error?.message).toMatch(/The container sent something that is not the protocol\.$/);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('a forged record', () => {
  test.each([
    ['written out', '{"__proto__":{"polluted":1}}'],
    ['escaped', '{"\\u005f_proto__":{"polluted":1}}'],
  ])('with the key `__proto__`, %s, is data and changes no object', async (_, json) => {
    const { outcome, result: answer } = await probe.run(forge, result(json));
    expect(outcome).toBe('OK');
    expect(JSON.stringify(answer)).toBe('{"__proto__":{"polluted":1}}');
    expect(Object.hasOwn(answer as object, '__proto__')).toBe(true);
    expect((answer as { polluted?: number }).polluted).toBeUndefined();
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each<[title: string, bytes: string, expected: object]>([
    [
      'with a result is the result of the plugin that forged it',
      result('"forged"'),
      { outcome: 'OK', result: 'forged' },
    ],
    ['with a second result changes nothing', result('1') + result('2'), { outcome: 'OK', result: 1 }],
    [
      'with a fault after the result changes nothing (P1)',
      result('1') + record('garbage'),
      { outcome: 'OK', result: 1 },
    ],
    [
      'with keys that look like ours changes nothing of ours',
      record(
        '{"jsonrpc":"2.0","id":1,"result":{"outcome":"TIMEOUT"},"plugin":"other","executionId":"x","success":false}',
      ),
      { outcome: 'OK', plugin: 'protocol-probe', success: true, result: { outcome: 'TIMEOUT' } },
    ],
    [
      'with an error has the words of the plugin and no code of ours (P3)',
      record(
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"ENGINE_LOST","data":{"name":"X","stack":"s"}}}',
      ),
      { outcome: 'PLUGIN_ERROR', error: { code: 'PLUGIN_ERROR', message: 'X: ENGINE_LOST', stack: 's' } },
    ],
    [
      'with a log line is a log line of the plugin',
      `${record('{"jsonrpc":"2.0","method":"log","params":{"level":"error","message":"mine","source":"engine"}}')}${result('1')}`,
      { outcome: 'OK', logs: [{ level: 'error', source: 'console', message: 'mine' }] },
    ],
  ])('%s', async (_, bytes, expected) => {
    expect(await probe.run(forge, bytes)).toMatchObject(expected);
  });
});

describe('output that is not a record', () => {
  test.each<[title: string, bytes: string, lines: string[]]>([
    ['a record without its first byte', result('1').slice(1), ['{"jsonrpc":"2.0","id":1,"result":1}']],
    ['headers as the engine multiplexes them', '\x02\0\0\0\0\0\0\x05hello\n', ['\x02\0\0\0\0\0\0\x05hello']],
    ['escape sequences of a terminal', '\x1b[2J\x1b]0;x\x07\n', ['\x1b[2J\x1b]0;x\x07']],
    ['an unfinished line right before the result', 'no end', ['no end']],
  ])('is logged: %s', async (_, bytes, lines) => {
    const heard = await probe.run((text: string) => {
      process.getBuiltinModule('node:fs').writeSync(1, Buffer.from(text, 'latin1'));
      return 'done';
    }, bytes);
    expect(heard).toMatchObject({ outcome: 'OK', result: 'done' });
    expect(heard.logs.map(({ message }) => message)).toEqual(lines);
  });

  test('is cut when a line is too long, and harmless when it is not UTF-8', async () => {
    const { outcome, logs } = await probe.run(() => {
      const { writeSync } = process.getBuiltinModule('node:fs');
      writeSync(1, `${'x'.repeat(50_000)}\n`);
      writeSync(1, Buffer.from([0xff, 0xfe, 0x0a]));
    });
    expect(outcome).toBe('OK');
    expect(logs.map(({ message }) => message)).toEqual(['x'.repeat(8192), '\ufffd\ufffd']);
  });

  test('is read in any pieces, even single bytes (P3)', async () => {
    const {
      outcome,
      result: answer,
      logs,
    } = await probe.run(async () => {
      const { writeSync } = process.getBuiltinModule('node:fs');
      const bytes = Buffer.from('line 今\n\u001e{"jsonrpc":"2.0","id":1,"result":"今日"}\n');
      for (const byte of bytes) {
        writeSync(1, Buffer.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return 'too late';
    });
    expect({ outcome, answer, lines: logs.map(({ message }) => message) }).toEqual({
      outcome: 'OK',
      answer: '今日',
      lines: ['line 今'],
    });
  });
});

describe('the channel still works after the plugin has replaced', () => {
  test.each<[what: string, program: Program]>([
    [
      'JSON',
      () => {
        JSON.stringify = () => 'garbage';
        JSON.parse = () => null;
        return 'done';
      },
    ],
    [
      'the methods of arrays and strings',
      () => {
        for (const prototype of [Array.prototype, String.prototype] as object[]) {
          for (const name of Object.getOwnPropertyNames(prototype)) {
            if (name !== 'constructor' && name !== 'length')
              Reflect.set(prototype, name, () => {
                throw new Error(`replaced ${name}`);
              });
          }
        }
        return 'done';
      },
    ],
    [
      'Buffer',
      () => {
        for (const name of ['from', 'alloc', 'concat', 'byteLength'])
          Reflect.set(Buffer, name, () => {
            throw new Error('replaced');
          });
        for (const name of ['toString', 'subarray', 'copy', 'indexOf'])
          Reflect.set(Buffer.prototype, name, () => {
            throw new Error('replaced');
          });
        return 'done';
      },
    ],
    [
      'process.stdout',
      () => {
        Object.defineProperty(process, 'stdout', { value: null });
        Object.defineProperty(process, 'stdin', { value: null });
        return 'done';
      },
    ],
    [
      'process.stdout.write',
      () => {
        process.stdout.write = () => false;
        process.stdout.end();
        return 'done';
      },
    ],
    [
      'the console',
      () => {
        (globalThis as { console: unknown }).console = null;
        return 'done';
      },
    ],
    [
      'promises',
      () => {
        const broken = (): never => {
          throw new Error('replaced');
        };
        Reflect.set(Promise.prototype, 'then', broken);
        Promise.resolve = broken;
        (globalThis as { Promise: unknown }).Promise = undefined;
        return 'done';
      },
    ],
    [
      'what every object has',
      () => {
        const trap = {
          configurable: true,
          get: () => {
            throw new Error('replaced');
          },
          set: () => {},
        };
        for (const name of ['toJSON', 'id', 'result', 'method', 'params', 'then', 'code', 'message']) {
          Object.defineProperty(Object.prototype, name, trap);
        }
        return 'done';
      },
    ],
    [
      'Function.prototype.call, apply and bind',
      () => {
        const broken = (): never => {
          throw new Error('replaced');
        };
        Object.assign(Function.prototype, { call: broken, apply: broken, bind: broken });
        return 'done';
      },
    ],
    [
      'fs.writeSync',
      () => {
        process.getBuiltinModule('node:fs').writeSync = (() => {
          throw new Error('replaced');
        }) as never;
        return 'done';
      },
    ],
    [
      'every global',
      () => {
        const { deleteProperty } = Reflect;
        for (const name of [
          'Object',
          'Reflect',
          'JSON',
          'Buffer',
          'Array',
          'String',
          'Atomics',
          'process',
          'console',
          'Error',
        ]) {
          deleteProperty(globalThis, name);
        }
        return 'done';
      },
    ],
  ])('%s', async (_, program) => {
    const { outcome, result: answer, error } = await probe.run(program, null, { timeoutMs: 5000 });
    expect({ outcome, answer, error }).toEqual({ outcome: 'OK', answer: 'done', error: null });
  });
});

describe('a plugin that cuts its own channel still gets an outcome:', () => {
  test.each<[title: string, program: Program]>([
    ['it closes stdout', () => process.getBuiltinModule('node:fs').closeSync(1)],
    [
      'it closes stdin',
      () => {
        process.getBuiltinModule('node:fs').closeSync(0);
        return new Promise((resolve) => setTimeout(resolve, 20_000));
      },
    ],
    [
      'it closes everything',
      () => {
        for (let fd = 0; fd < 20; fd++)
          try {
            process.getBuiltinModule('node:fs').closeSync(fd);
          } catch {}
      },
    ],
    [
      'it throws from every hook',
      () => {
        process.on('exit', () => {
          throw new Error('hook');
        });
        process.on('beforeExit', () => {
          throw new Error('hook');
        });
        process.exit(0);
      },
    ],
    [
      'it takes all listeners away',
      () => {
        process.removeAllListeners();
        setImmediate(() => {
          throw new Error('loose');
        });
        return new Promise(() => {});
      },
    ],
  ])('%s', async (_, program) => {
    const { outcome } = await probe.run(program, null, { timeoutMs: 2000 });
    expect(outcome).toMatch(/^(PLUGIN_ERROR|PLUGIN_CRASHED|NO_RESULT|TIMEOUT)$/);
  });
});
