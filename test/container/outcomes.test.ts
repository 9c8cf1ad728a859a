import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLurkbox, type LogLine } from '../../src/index.ts';
import {
  createPlugin,
  createSharedFolder,
  createWorkspace,
  type Host,
  type PluginSource,
  type Program,
  type TestPlugin,
} from '../helpers/workspace.ts';

/** P1: every execution settles with exactly one outcome. */
let probe: TestPlugin;

beforeAll(async () => {
  probe = await createPlugin('outcomes-probe');
});
afterAll(() => probe[Symbol.asyncDispose]());

function withoutTimes({ logs }: { logs: readonly LogLine[] }): string[] {
  return logs.map(({ level, source, message }) => `${level} ${source}: ${message}`);
}

describe('a result', () => {
  test('comes back as the plugin returned it', async () => {
    const result = await probe.run(() => ({
      text: 'grüß 今日は 👋🏽 \u0000\u001e\u2028',
      list: [1, -0.5, null, true],
    }));
    expect(result).toMatchObject({
      plugin: 'outcomes-probe',
      version: '1.0.0',
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      outcome: 'OK',
      success: true,
      result: { text: 'grüß 今日は 👋🏽 \u0000\u001e\u2028', list: [1, -0.5, null, true] },
      error: null,
      warnings: [],
    });
    expect(result.executionId).toMatch(/^[0-9a-f-]{36}$/);
    for (const ms of Object.values(result.phases)) expect(ms).toBeGreaterThanOrEqual(0);
  });

  test.each<[title: string, program: Program]>([
    ['nothing', () => {}],
    ['null', () => null],
  ])('%s arrives as null', async (_, program) => {
    expect(await probe.run(program)).toMatchObject({ outcome: 'OK', result: null });
  });

  test('of almost a megabyte arrives whole (P3)', async () => {
    const text = await probe.ask(() => '今'.repeat(300_000));
    expect(text).toBe('今'.repeat(300_000));
  });

  test('reports what the call used, where the kernel can measure it', async () => {
    const { usage } = await probe.run(() => Buffer.alloc(20 * 1024 * 1024, 1).length);
    if (usage.peakMemoryBytes !== null) expect(usage.peakMemoryBytes).toBeGreaterThan(20 * 1024 * 1024);
    if (usage.cpuTimeMs !== null) expect(usage.cpuTimeMs).toBeGreaterThan(5);
  });
});

describe('the context', () => {
  let echo: TestPlugin;
  beforeAll(async () => {
    echo = await createPlugin('outcomes-echo', { code: 'export const execute = (context) => context;' });
  });
  afterAll(() => echo[Symbol.asyncDispose]());

  test('arrives whole', async () => {
    const context = {
      userId: 'ada',
      channelId: 'discord',
      sessionId: '\u001e\n"',
      inputData: { text: 'grüß 今日は 👋🏽 \0\ud800\ufeff\u2028', nested: [[{ a: null }]] },
      parameters: { unit: '°C' },
      environment: { region: 'eu' },
      config: { limit: 3 },
    };
    const { executionId, result } = await echo.call(context);
    expect(result).toEqual({ executionId, ...context });
  });

  test('has every field when the caller gave none', async () => {
    const { executionId, result } = await echo.call();
    expect(result).toEqual({
      executionId,
      userId: null,
      channelId: null,
      sessionId: null,
      inputData: {},
      parameters: {},
      environment: {},
      config: {},
    });
  });

  test('of 2 MB arrives whole', async () => {
    const text = '今日 '.repeat(300_000);
    expect(Buffer.byteLength(text)).toBeGreaterThan(2_000_000);
    const digest = await probe.ask((sent: string) => {
      const { createHash } = process.getBuiltinModule('node:crypto');
      return [sent.length, createHash('sha256').update(sent).digest('hex')];
    }, text);
    const { createHash } = await import('node:crypto');
    expect(digest).toEqual([text.length, createHash('sha256').update(text).digest('hex')]);
  });

  test('of more than 16 MB is refused before anything is started', async () => {
    const result = await probe.run(() => null, 'x'.repeat(17 * 1024 * 1024));
    expect(result).toMatchObject({ outcome: 'INPUT_INVALID', phases: { createMs: null } });
    expect(result.error?.message).toMatch(/has 178\d+ bytes, at most 16777216/);
  });
});

describe('an entry point', () => {
  test.each<[form: string, file: string, code: string]>([
    [
      'a .js file with `export function`',
      'index.js',
      'export function execute(c) { return c.inputData.x + 1; }',
    ],
    [
      'a .mjs file with `export const`',
      'index.mjs',
      'export const execute = async (c) => c.inputData.x + 1;',
    ],
    ['a .mjs file with a default function', 'index.mjs', 'export default (c) => c.inputData.x + 1;'],
    [
      'a .mjs file with a default object',
      'index.mjs',
      'export default { execute: (c) => c.inputData.x + 1 };',
    ],
    [
      'a .cjs file with `module.exports = { execute }`',
      'main.cjs',
      'module.exports = { execute: (c) => c.inputData.x + 1 };',
    ],
    ['a .cjs file with a function', 'main.cjs', 'module.exports = (c) => c.inputData.x + 1;'],
    ['a .cjs file with `exports.execute`', 'lib/main.cjs', 'exports.execute = (c) => c.inputData.x + 1;'],
    [
      'a .ts file with types',
      'src/index.ts',
      'interface C { inputData: { x: number } }\nexport function execute(c: C): number { return c.inputData.x + 1; }',
    ],
  ])('can be %s', async (_, file, code) => {
    await using plugin = await createPlugin('outcomes-form', { manifest: { entry_point: file }, code });
    expect(await plugin.call({ inputData: { x: 41 } })).toMatchObject({
      outcome: 'OK',
      result: 42,
      error: null,
    });
  });

  test('can import its own files, JSON and modules of Node', async () => {
    const code = `import { add } from './lib/add.mjs';
      import data from './data.json' with { type: 'json' };
      import { basename } from 'node:path';
      export const execute = () => add(data.n, basename('/x/2').length);`;
    const files = { 'lib/add.mjs': 'export const add = (a, b) => a + b;', 'data.json': '{ "n": 41 }' };
    await using plugin = await createPlugin('outcomes-imports', { code, files });
    expect(await plugin.call()).toMatchObject({ outcome: 'OK', result: 42 });
  });

  test.each<[title: string, source: PluginSource, message: RegExp]>([
    [
      'exports no `execute`',
      { code: 'export const run = () => 1, other = 2;' },
      /expected the plugin to export a function `execute\(context, host\)`.*; it exports `other` \(number\), `run` \(function\)$/,
    ],
    [
      'exports an `execute` that is no function',
      { code: 'export const execute = 5;' },
      /it exports `execute` \(number\)$/,
    ],
    ['throws while it is loaded', { code: 'throw new RangeError("at load");' }, /^RangeError: at load/],
    ['has a syntax error', { code: 'export const execute = () => {{;' }, /^SyntaxError: /],
    [
      'uses an enum of TypeScript, which cannot be stripped',
      { manifest: { entry_point: 'index.ts' }, code: 'enum A { B }\nexport const execute = () => A.B;' },
      /enum/,
    ],
    [
      'imports a package that is not there',
      { code: 'import "left-pad";\nexport const execute = () => 1;' },
      /Cannot find package 'left-pad'/,
    ],
  ])('that %s is an error of the plugin', async (_, source, message) => {
    await using plugin = await createPlugin('outcomes-unloadable', source);
    const result = await plugin.call();
    expect(result).toMatchObject({ outcome: 'PLUGIN_ERROR', success: false, result: null });
    expect(result.error?.message).toMatch(message);
  });

  test.each([
    ['never finishes loading', 'for (;;) {}'],
    ['waits for ever at its top level', 'await new Promise((resolve) => setTimeout(resolve, 1e9));'],
  ])('that %s ends with a timeout', async (_, code) => {
    await using plugin = await createPlugin('outcomes-loading', { code });
    expect(await plugin.call({}, { timeoutMs: 500 })).toMatchObject({ outcome: 'TIMEOUT' });
  });
});

describe('output', () => {
  test('of every console method is a log line with its level', async () => {
    const result = await probe.run(() => {
      console.log('plain', { a: [1] }, 'ünïcode 👋');
      console.info('two\nlines');
      console.debug('%s is %d', 'x', 3);
      console.warn('careful');
      console.error(new Error('logged').message);
      console.assert(false, 'not so');
      console.table([{ a: 1 }]);
      return 'done';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'done', warnings: [] });
    const lines = withoutTimes(result);
    expect(lines.slice(0, 6)).toEqual([
      'info console: plain { a: [ 1 ] } ünïcode 👋',
      'info console: two\nlines',
      'debug console: x is 3',
      'warn console: careful',
      'error console: logged',
      'error console: Assertion failed: not so',
    ]);
    expect(lines[6]).toContain('│ (index) │ a │');
  });

  test('of `host.log` has the given level, or `info` without one', async () => {
    const result = await probe.run((_, host) => {
      for (const level of ['debug', 'info', 'warn', 'error', 'fatal', '__proto__'])
        host.log(level, `at ${level}`);
    });
    expect(withoutTimes(result)).toEqual([
      'debug console: at debug',
      'info console: at info',
      'warn console: at warn',
      'error console: at error',
      'error console: at fatal',
      'info console: __proto__ at __proto__',
    ]);
  });

  test('past the console is logged as lines, even an unfinished one', async () => {
    const result = await probe.run(async () => {
      process.stdout.write('one\ntw');
      process.stdout.write('o\nno line feed');
      await new Promise((resolve) => process.stderr.write('to stderr\n', resolve));
      return 'done';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'done' });
    const lines = withoutTimes(result);
    expect(lines.filter((line) => line.includes('stdout:'))).toEqual([
      'info stdout: one',
      'info stdout: two',
      'info stdout: no line feed',
    ]);
  });

  test('to stderr before an error is logged as warnings', async () => {
    const result = await probe.run(async () => {
      const { writeSync } = process.getBuiltinModule('node:fs');
      writeSync(2, 'first\nsecond\n');
      process.exit(3);
    });
    expect(withoutTimes(result)).toEqual(
      expect.arrayContaining(['warn stderr: first', 'warn stderr: second']),
    );
  });

  test('of more than 8,000 characters in one call is cut, with the original length', async () => {
    const { logs } = await probe.run(() => console.log('x'.repeat(20_000)));
    expect(logs[0]?.message).toBe(`${'x'.repeat(8_000)}… (20000 characters)`);
  });

  test('of more lines than a log holds is counted in a warning, and the result is valid', async () => {
    const result = await probe.run(() => {
      for (let line = 0; line < 1_500; line++) console.log(line);
      return 'done';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'done' });
    expect(result.logs).toHaveLength(1_001);
    expect(result.logs[700]).toMatchObject({ source: 'lurkbox', message: '500 lines are left out here' });
    expect(result.logs.at(-1)?.message).toBe('1499');
    expect(result.warnings).toEqual(['500 log lines between the first and the last ones were left out']);
  });

  test('of 50 MB on stderr is cut, and the result is valid (P5)', async () => {
    const result = await probe.run(() => {
      const { writeSync } = process.getBuiltinModule('node:fs');
      const chunk = Buffer.alloc(1024 * 1024, `${'e'.repeat(127)}\n`);
      for (let megabyte = 0; megabyte < 50; megabyte++) {
        for (let at = 0; at < chunk.length; ) at += writeSync(2, chunk, at);
      }
      return 'done';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'done' });
    expect(result.warnings).toEqual([
      expect.stringMatching(/^\d{6} log lines between the first and the last ones were left out$/),
    ]);
  });

  test.each<[title: string, program: Program]>([
    [
      'a flood of lines',
      () => {
        const { writeSync } = process.getBuiltinModule('node:fs');
        for (;;) writeSync(1, `${'flood '.repeat(1000)}\n`);
      },
    ],
    [
      'one line without an end',
      () => {
        const { writeSync } = process.getBuiltinModule('node:fs');
        for (;;) writeSync(1, 'x'.repeat(64 * 1024));
      },
    ],
    [
      'log records for ever',
      () => {
        for (;;) console.log('y'.repeat(4000));
      },
    ],
  ])('without an end is logged in part, and ends at the deadline: %s (P5)', async (_, program) => {
    const result = await probe.run(program, null, { timeoutMs: 1_000 });
    expect(result).toMatchObject({ outcome: 'TIMEOUT', result: null });
    const chars = result.logs.reduce((sum, { message }) => sum + message.length, 0);
    expect(chars).toBeLessThan(300 * 1024);
    expect(result.logs.length).toBeLessThan(1_010);
  });

  test.each<[title: string, program: Program, message: RegExp]>([
    [
      'a result of 2 MB',
      () => 'x'.repeat(2 * 1024 * 1024),
      /^`result` has 2097154 bytes .* the result may have 1048576: return less, or raise `output_kb`/,
    ],
    [
      'a record without an end',
      () => {
        const { writeSync } = process.getBuiltinModule('node:fs');
        writeSync(1, '\u001e');
        for (;;) writeSync(1, 'x'.repeat(64 * 1024));
      },
      /^more than 1048576 bytes came as records.*: return less, or raise `output_kb`\./,
    ],
  ])('of an answer has a limit: %s (P5)', async (_, program, message) => {
    const result = await probe.run(program);
    expect(result).toMatchObject({ outcome: 'OUTPUT_LIMIT', result: null });
    expect(result.error?.message).toMatch(message);
  });

  test('of progress reaches the caller', async () => {
    const heard: [number, string][] = [];
    const result = await probe.run(
      async (_, host) => {
        host.progress(0);
        // Of several within ten milliseconds the last one is told.
        host.progress(0.4, 'not yet half');
        await new Promise((resolve) => setTimeout(resolve, 50));
        host.progress(0.5, 'half');
        host.progress(0.9, 'nearly all');
        host.progress(1, 'all');
      },
      null,
      { onProgress: (fraction, message) => heard.push([fraction, message]) },
    );
    expect(result.outcome).toBe('OK');
    expect(heard).toEqual([
      [0, ''],
      [0.5, 'half'],
      [1, 'all'],
    ]);
  });
});

describe('an error of the plugin', () => {
  test.each<[title: string, program: Program, message: string | RegExp]>([
    [
      'a throw',
      () => {
        throw new TypeError('no good');
      },
      'TypeError: no good',
    ],
    ['a rejection', () => Promise.reject(new Error('later')), 'Error: later'],
    [
      'a thrown text',
      () => {
        throw 'just text';
      },
      'a thrown string: just text',
    ],
    [
      'a thrown undefined',
      () => {
        throw undefined;
      },
      'a thrown undefined: undefined',
    ],
    [
      'a thrown null',
      () => {
        throw null;
      },
      'a thrown object: null',
    ],
    [
      'a thrown symbol',
      () => {
        throw Symbol('s');
      },
      'a thrown symbol: Symbol(s)',
    ],
    [
      'a thrown object without a message',
      () => {
        throw { code: 7 };
      },
      'a thrown object: {"code":7}',
    ],
    [
      'an error whose getters throw',
      () => {
        const trap = {
          get() {
            throw new Error('trap');
          },
        };
        throw Object.defineProperties(new Error('hidden'), {
          message: trap,
          name: trap,
          stack: trap,
          toString: trap,
        });
      },
      /./,
    ],
    [
      'a thrown proxy that refuses everything',
      () => {
        const refuse = () => {
          throw new Error('refused');
        };
        throw new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse });
      },
      'a thrown value that cannot be read',
    ],
    [
      'a message of a megabyte',
      () => {
        throw new Error('m'.repeat(1e6));
      },
      /^Error: m{3999}…$/,
    ],
    [
      'a circular result',
      () => {
        const loop: unknown[] = [];
        loop.push(loop);
        return loop;
      },
      '`result[0]` is `result` again, so it would never end; return a copy without that',
    ],
    ['a function as the result', () => () => 1, '`result` is a function; return data'],
    [
      'a `toJSON` that throws',
      () => ({
        toJSON() {
          throw new Error('not me');
        },
      }),
      '`result` cannot be read: Error: not me',
    ],
    [
      'an uncaught exception',
      () =>
        new Promise(() =>
          setImmediate(() => {
            throw new Error('loose');
          }),
        ),
      'Error: loose',
    ],
    [
      'an unhandled rejection',
      () => {
        Promise.reject(new Error('unhandled'));
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      },
      'Error: unhandled',
    ],
  ])('is reported: %s (P1)', async (_, program, message) => {
    const result = await probe.run(program);
    expect(result).toMatchObject({ outcome: 'PLUGIN_ERROR', success: false, result: null });
    expect(result.error).toMatchObject({ code: 'PLUGIN_ERROR' });
    if (typeof message === 'string') expect(result.error?.message).toBe(message);
    else expect(result.error?.message).toMatch(message);
  });

  test('includes the stack of the plugin', async () => {
    const { error } = await probe.run(() => {
      throw new Error('with stack');
    });
    expect(error?.stack).toMatch(/^Error: with stack\n {4}at .*\n(.*\n)*?.*\/plugin\/index\.mjs/);
  });
});

describe('the end of the process', () => {
  test.each<[title: string, program: Program, outcome: string, message: RegExp]>([
    ['exit with code 0', () => process.exit(0), 'NO_RESULT', /exit code 0.*Return a value from `execute`/],
    [
      'a promise that nothing will settle',
      () => new Promise(() => {}),
      'NO_RESULT',
      /nothing is left to wait for.*Return a value from `execute`/,
    ],
    ['exit with code 3', () => process.exit(3), 'PLUGIN_CRASHED', /exit code 3\. .*Look at the logs/],
    ['abort', () => process.abort(), 'PLUGIN_CRASHED', /exit code 1\d\d \(SIG[A-Z]+\)/],
  ])('by %s is recognized (P1)', async (_, program, outcome, message) => {
    const result = await probe.run(program);
    expect(result.outcome).toBe(outcome);
    expect(result.error?.message ?? '').toMatch(message);
  });

  // Process 1 of a pid namespace does not feel its own signals, not even SIGKILL (pid_namespaces(7)).
  test('cannot be caused by a signal of the plugin to itself', async () => {
    const result = await probe.run(() => {
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSTOP']) process.kill(process.pid, signal);
      return process.pid;
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 1 });
  });

  test('with an answer just before it counts as the answer (P3)', async () => {
    const result = await probe.run(() => {
      setImmediate(() => process.exit(9));
      return 'in time';
    });
    expect(result).toMatchObject({ outcome: 'OK', result: 'in time' });
  });
});

describe('the deadline', () => {
  test.each<[title: string, program: Program]>([
    ['sleeps', () => new Promise((resolve) => setTimeout(resolve, 1e9))],
    [
      'is busy',
      () => {
        for (;;);
      },
    ],
    [
      'ignores signals',
      () => {
        for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});
        setInterval(() => {}, 10);
        return new Promise(() => {});
      },
    ],
    ['is lost in a regular expression', () => /^(a+)+$/.test(`${'a'.repeat(40)}!`)],
    [
      'stops itself',
      () => {
        process.kill(0, 'SIGSTOP');
        for (;;);
      },
    ],
    [
      'reports progress for ever',
      async (_, host) => {
        for (;;) {
          host.progress(0.5);
          await new Promise((r) => setTimeout(r, 50));
        }
      },
    ],
    [
      'leaves half a record behind',
      () => {
        process.getBuiltinModule('node:fs').writeSync(1, '\u001e{"jsonrpc":"2.0","id":1,"resu');
        return new Promise((resolve) => setTimeout(resolve, 1e9));
      },
    ],
  ])('ends a plugin that %s (P4)', async (_, program) => {
    const started = performance.now();
    const result = await probe.run(program, null, { timeoutMs: 600 });
    expect(result).toMatchObject({ outcome: 'TIMEOUT', result: null });
    expect(result.error?.message).toBe(
      'No answer within 0.6 s. The plugin did not answer before its deadline. Raise `timeout_seconds`, or do less.',
    );
    expect(result.phases.runMs).toBeGreaterThanOrEqual(590);
    // P4, with room for a busy machine.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('of the manifest applies when the call has none', async () => {
    await using plugin = await createPlugin('outcomes-deadline', {
      manifest: { resources: { memory_mb: 96, timeout_seconds: 0.5 } },
      code: 'export const execute = () => new Promise((resolve) => setTimeout(resolve, 1e9));',
    });
    expect(await plugin.call()).toMatchObject({
      outcome: 'TIMEOUT',
      error: { message: expect.stringMatching(/^No answer within 0.5 s/) },
    });
  });

  test.each([0, -1, 10_001, Number.NaN])('of a call cannot be %d ms', async (timeoutMs) => {
    await expect(probe.run(() => null, null, { timeoutMs })).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringContaining('at most the 10 s that `outcomes-probe` is granted'),
    });
  });
});

describe('a caller that cancels', () => {
  test('before the call starts nothing', async () => {
    const result = await probe.run(() => 1, null, { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ outcome: 'CANCELLED', phases: { createMs: null } });
    expect(result.error?.message).toBe('The caller aborted the execution.');
  });

  test.each([1, 20, 60, 120, 200, 500])(
    'after %d ms, at any point of the start, leaves nothing (P1, P2)',
    async (ms) => {
      const started = performance.now();
      const result = await probe.run(() => new Promise((resolve) => setTimeout(resolve, 20_000)), null, {
        signal: AbortSignal.timeout(ms),
      });
      expect(result.outcome).toBe('CANCELLED');
      expect(performance.now() - started).toBeLessThan(10_000);
    },
  );

  test('ends a busy plugin (P4)', async () => {
    const controller = new AbortController();
    const busy = (_: unknown, host: Host) => {
      host.progress(0);
      for (;;);
    };
    const result = await probe.run(busy, null, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(result.outcome).toBe('CANCELLED');
    expect(result.phases.runMs).not.toBeNull();
  });

  test('is announced to the plugin, which can clean up outside of its container', async () => {
    await using shared = await createSharedFolder();
    await using plugin = await createPlugin(
      'outcomes-tidy',
      { manifest: { permissions: { filesystem: { mounts: { shared: 'rw' } } } } },
      {
        policy: {
          allow: { mounts: { shared: { path: shared.path, mode: 'rw' } } },
          plugins: { 'outcomes-tidy': { allow: { mounts: ['shared'] } } },
        },
      },
    );
    const controller = new AbortController();
    const tidy = (_: unknown, host: Host) => {
      const { writeFileSync } = process.getBuiltinModule('node:fs');
      host.signal.addEventListener('abort', () => {
        writeFileSync('/mnt/shared/tidied', String(host.signal.reason));
      });
      host.progress(0);
      return new Promise((resolve) => setTimeout(resolve, 20_000));
    };
    const options = {
      signal: controller.signal,
      onProgress: () => setTimeout(() => controller.abort(), 100),
    };
    expect(await plugin.run(tidy, null, options)).toMatchObject({ outcome: 'CANCELLED' });
    expect(await readFile(join(shared.path, 'tidied'), 'utf8')).toBe('Error: the execution was cancelled');
  });
});

describe('memory', () => {
  test.each<[title: string, program: Program, message: RegExp]>([
    [
      'a heap that grows',
      () => {
        const kept: unknown[] = [];
        for (;;) kept.push(new Array(10_000).fill(kept.length));
      },
      /^The heap of V8 was full; the container has 96 MB in all\. .*Raise `memory_mb`, or hold less\.$/,
    ],
    [
      'buffers, which are not in the heap',
      () => {
        const kept: unknown[] = [];
        for (;;) kept.push(Buffer.alloc(4 * 1024 * 1024, kept.length));
      },
      /^The kernel ended the container at its limit of 96 MB\. .*Raise `memory_mb`, or hold less\.$/,
    ],
    [
      'files in a tmpfs, which are memory too',
      () => {
        const { openSync, writeSync } = process.getBuiltinModule('node:fs');
        const kept: unknown[] = [];
        const chunk = Buffer.alloc(1024 * 1024, 1);
        const file = openSync('/tmp/fill', 'w');
        for (let megabyte = 0; megabyte < 40; megabyte++) writeSync(file, chunk);
        for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
      },
      /limit of 96 MB/,
    ],
  ])('has a limit: %s', async (_, program, message) => {
    const result = await probe.run(program);
    expect(result.outcome).toBe('OUT_OF_MEMORY');
    expect(result.error?.message).toMatch(message);
  });
});

describe('the schemas of the manifest', () => {
  let checked: TestPlugin;
  beforeAll(async () => {
    checked = await createPlugin('outcomes-schemas', {
      manifest: {
        input_schema: {
          type: 'object',
          properties: { n: { type: 'integer' } },
          required: ['n'],
          additionalProperties: false,
        },
        output_schema: {
          type: 'object',
          properties: { double: { type: 'integer', maximum: 100 } },
          required: ['double'],
        },
        config_schema: { type: 'object', properties: { unit: { enum: ['m', 'ft'] } } },
      },
      code: 'export const execute = ({ inputData }) => ({ double: inputData.n * 2 });',
    });
  });
  afterAll(() => checked[Symbol.asyncDispose]());

  test('accept a matching value', async () => {
    expect(await checked.call({ inputData: { n: 21 } })).toMatchObject({
      outcome: 'OK',
      result: { double: 42 },
    });
  });

  test.each<[title: string, context: object, message: RegExp]>([
    [
      'a wrong type',
      { inputData: { n: 'x' } },
      /^`inputData\.n` must be integer, got "x", as `input_schema` says\. The context of the call does not fit/,
    ],
    ['a missing value', { inputData: {} }, /^`inputData` must have required property 'n'/],
    ['an unknown key', { inputData: { n: 1, m: 2 } }, /must NOT have additional properties \(`m`\)/],
    [
      'a wrong setting',
      { inputData: { n: 1 }, config: { unit: 'yd' } },
      /^`config\.unit` must be one of "m", "ft", got a text of 2 characters, as `config_schema` says/,
    ],
  ])('refuse %s before anything is started', async (_, context, message) => {
    const result = await checked.call(context);
    expect(result).toMatchObject({ outcome: 'INPUT_INVALID', phases: { createMs: null } });
    expect(result.error?.message).toMatch(message);
  });

  test('refuse a result that does not fit', async () => {
    const result = await checked.call({ inputData: { n: 1000 } });
    expect(result).toMatchObject({ outcome: 'OUTPUT_INVALID', success: false, result: null });
    expect(result.error?.message).toMatch(
      /^`result\.double` must be <= 100, got 2000\. The result does not fit the `output_schema`/,
    );
  });
});

describe('before a container is started', () => {
  test('a plugin that is not loaded is refused, with the names of the loaded ones', async () => {
    const result = await probe.lurkbox.plugins.executePlugin('weather');
    expect(result).toMatchObject({ plugin: 'weather', version: null, outcome: 'PLUGIN_NOT_FOUND' });
    expect(result.error?.message).toMatch(/^No plugin `weather` is loaded; loaded are: outcomes-probe\./);
  });

  test('a disabled plugin is refused', async () => {
    await using plugin = await createPlugin('outcomes-disabled', { manifest: { enabled: false } });
    expect(await plugin.call()).toMatchObject({ outcome: 'PLUGIN_DISABLED', version: '1.0.0' });
  });

  test('a channel that the manifest does not name is denied, and so is a missing one', async () => {
    await using plugin = await createPlugin('outcomes-channels', {
      manifest: { permissions: { channels: ['slack'] } },
      code: 'export const execute = () => 1;',
    });
    const denied = await plugin.call({ channelId: 'discord' });
    expect(denied).toMatchObject({ outcome: 'PERMISSION_DENIED', phases: { createMs: null } });
    expect(denied.error?.message).toMatch(
      /^The manifest allows the channels slack; `channelId` names another or none\./,
    );
    expect(await plugin.call({ channelId: 'slack' })).toMatchObject({ outcome: 'OK' });
    expect(await plugin.call({ channelId: null })).toMatchObject({ outcome: 'PERMISSION_DENIED' });
  });

  test('an invalid context is thrown as an error with every problem', async () => {
    const wrong = { userId: 5, inputdata: {} } as object;
    await expect(probe.call(wrong)).rejects.toMatchObject({
      code: 'CONTEXT_INVALID',
      problems: [{ path: 'userId' }, { message: expect.stringContaining('known are userId') }],
    });
  });
});

test('two workspaces with plugins of the same name do not affect each other', async () => {
  await using workspace = await createWorkspace();
  const folder = await workspace.addPlugin('outcomes-probe', {
    code: 'export const execute = () => "other";',
  });
  await using other = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
  await other.plugins.loadPlugin(folder);
  const results = await Promise.all([probe.ask(() => 'mine'), other.plugins.executePlugin('outcomes-probe')]);
  expect(results).toMatchObject(['mine', { outcome: 'OK', result: 'other' }]);
});
