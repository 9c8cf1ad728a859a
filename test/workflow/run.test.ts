import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { ExecuteOptions } from '../../src/calls/call.ts';
import type { WorkflowProgress } from '../../src/workflow/result.ts';
import { runWorkflow, type WorkflowOptions } from '../../src/workflow/run.ts';
import type { WorkflowDocument } from '../../src/workflow/schema.ts';
import { type Behaviour, FakePlugins, fail, stay, toResult } from './fake-plugins.ts';

type Steps = WorkflowDocument['steps'];

interface Case extends Omit<WorkflowOptions, 'plugins'> {
  readonly steps: Steps;
  readonly plugins?: Readonly<Record<string, Behaviour>>;
  readonly input?: object;
  readonly rest?: Partial<WorkflowDocument>;
}

/** Each step is a plugin of its own name unless it says otherwise. */
function stepsOf(written: Readonly<Record<string, object>>): Steps {
  return Object.fromEntries(Object.entries(written).map(([name, step]) => [name, { plugin: name, ...step }]));
}

async function run({ steps, plugins: behaviours, input = {}, rest, ...options }: Case) {
  const plugins = new FakePlugins(behaviours);
  const result = await runWorkflow(
    { name: 'test', steps, ...rest },
    { plugins, context: { inputData: input as never }, ...options },
  );
  const statuses = Object.fromEntries(
    Object.entries(result.steps).map(([name, { status }]) => [name, status]),
  );
  return { plugins, result, statuses };
}

const inputOf = (plugins: FakePlugins, name: string) =>
  plugins.calls.find((call) => call.name === name)?.context.inputData;

describe('values of a workflow', () => {
  test('of the input, its defaults and earlier results reach a plugin unchanged', async () => {
    const { plugins, result } = await run({
      input: { place: 'Graz' },
      rest: {
        input: { place: 'Wien', unit: 'C' },
        output: { at: { $from: 'input.place' }, all: { $from: 'second.result' } },
      },
      plugins: { first: () => ({ list: [{ 'a key': null }, 2] }) },
      steps: stepsOf({
        first: { input: { $from: 'input' } },
        second: { input: [{ $from: 'first.result.list[0].a key' }, { $from: 'first.outcome' }, 'plain'] },
      }),
    });
    expect(inputOf(plugins, 'first')).toEqual({ place: 'Graz', unit: 'C' });
    expect(inputOf(plugins, 'second')).toEqual([null, 'OK', 'plain']);
    expect(result).toMatchObject({
      outcome: 'OK',
      success: true,
      reason: null,
      output: { at: 'Graz', all: [null, 'OK', 'plain'] },
      warnings: [],
    });
  });

  test('of the context reach every step, and the config of a step overrides them', async () => {
    const { plugins } = await run({
      steps: stepsOf({ one: { config: { unit: { $from: 'input.unit' } } } }),
      context: {
        userId: 'u',
        sessionId: 's',
        channelId: 'c',
        inputData: { unit: 'F' },
        parameters: { p: 1 },
        environment: { e: 2 },
        config: { unit: 'C', keep: true },
      },
    });
    expect(plugins.calls[0]?.context).toEqual({
      userId: 'u',
      sessionId: 's',
      channelId: 'c',
      inputData: {},
      parameters: { p: 1 },
      environment: { e: 2 },
      config: { unit: 'F', keep: true },
    });
  });

  test.each([
    ['input.place', '`input.place` is not there'],
    ['first.result.toString', '`first.result.toString` is not there'],
    ['first.result.list.length', '`first.result.list.length` is not there'],
    ['first.result.list[3]', '`first.result.list[3]` is not there'],
    ['first.result.text[0]', '`first.result.text[0]` is not there'],
    ['input.constructor.name', '`input.constructor.name` is not there'],
  ])('that are missing fail the step without executing it: %s', async ($from, reason) => {
    const { plugins, result } = await run({
      plugins: { first: () => ({ list: [1], text: 'abc' }) },
      steps: stepsOf({ first: {}, second: { after: ['first'], input: { a: { $from } } } }),
    });
    expect(plugins.names).toEqual(['first']);
    expect(result.steps['second']).toMatchObject({ status: 'failed', reason, result: null, startedMs: null });
    expect(result).toMatchObject({ outcome: 'FAILED', success: false, output: null });
    expect(result.reason).toContain(`\`second\` failed: ${reason}`);
  });

  test('that are missing get the default of their reference', async () => {
    const { plugins } = await run({
      steps: stepsOf({ one: { input: { $from: 'input.place.name', default: null } } }),
    });
    expect(inputOf(plugins, 'one')).toBeNull();
  });

  test.each<[string, unknown, RegExp]>([
    ['a prototype key', JSON.parse('{ "__proto__": { "admin": true } }'), /`__proto__`/],
    ['a function', { f: () => 1 }, /plain JSON/],
    ['something that is not there', { f: undefined }, /plain JSON/],
    ['a class of its own', new Date(), /plain JSON/],
    ['no number', [Number.NaN], /plain JSON/],
    ['more bytes than a context may have', 'x'.repeat(17 * 1024 * 1024), /more than 16777216 bytes/],
    ['what nests too deeply', JSON.parse('['.repeat(80) + ']'.repeat(80)), /nested deeper/],
  ])('that hold %s are passed neither to a step nor to the caller', async (_, value, message) => {
    const { plugins, result } = await run({
      plugins: { evil: () => value },
      steps: stepsOf({ evil: {}, next: { input: { $from: 'evil.result' }, on_failure: 'continue' } }),
      rest: { output: { $from: 'evil.result' } },
    });
    expect(plugins.names).toEqual(['evil']);
    expect(result.steps['next']).toMatchObject({ status: 'failed', reason: expect.stringMatching(message) });
    expect(result).toMatchObject({ outcome: 'FAILED', output: null, reason: expect.stringMatching(message) });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test('that many references share count for each of them', async () => {
    const { result } = await run({
      plugins: { large: () => 'x'.repeat(1024 * 1024) },
      steps: stepsOf({
        large: {},
        next: { input: Array.from({ length: 17 }, () => ({ $from: 'large.result' })) },
      }),
    });
    expect(result.steps['next']).toMatchObject({
      status: 'failed',
      reason: 'what it would be given has more than 16777216 bytes',
    });
  });
});

describe('a condition', () => {
  const holds = async (when: object, input: object = {}) => {
    const { statuses, result } = await run({ input, steps: stepsOf({ one: { when } }) });
    return { status: statuses['one'], reason: result.steps['one']?.reason };
  };

  test.each<[object, object, boolean]>([
    [{ $from: 'input.a', equals: 'x' }, { a: 'x' }, true],
    [{ $from: 'input.a', equals: 1 }, { a: '1' }, false],
    [{ $from: 'input.a', equals: null }, { a: null }, true],
    [{ $from: 'input.a', equals: 0 }, { a: -0 }, true],
    [{ $from: 'input.a', equals: { $from: 'input.b' } }, { a: 2, b: 2 }, true],
    [{ $from: 'input.a', equals: { $from: 'input.b', default: 2 } }, { a: 2 }, true],
    [{ $from: 'input.a', not_equals: true }, { a: false }, true],
    [{ $from: 'input.a', in: [1, 'x', null] }, { a: 'x' }, true],
    [{ $from: 'input.a', in: [] }, { a: 'x' }, false],
    [{ $from: 'input.a', exists: true }, { a: null }, true],
    [{ $from: 'input.a', exists: true }, {}, false],
    [{ $from: 'input.a', exists: false }, {}, true],
    [{ $from: 'input.toString', exists: true }, {}, false],
    [{ $from: 'input.a', greater_than: 1 }, { a: 2 }, true],
    [{ $from: 'input.a', greater_than: { $from: 'input.most' } }, { a: 2, most: 2 }, false],
    [{ $from: 'input.a', less_than: 1 }, { a: 0.5 }, true],
    [{ $from: 'input.a', default: 0, less_than: 1 }, {}, true],
    [{ not: { $from: 'input.a', equals: 1 } }, { a: 1 }, false],
    [
      {
        all: [
          { $from: 'input.a', exists: true },
          { $from: 'input.a', greater_than: 1 },
        ],
      },
      {},
      false,
    ],
    [
      {
        any: [
          { $from: 'input.a', exists: false },
          { $from: 'input.a', greater_than: 1 },
        ],
      },
      {},
      true,
    ],
    [
      {
        any: [
          { $from: 'input.a', equals: 1 },
          { $from: 'input.a', equals: 2 },
        ],
      },
      { a: 2 },
      true,
    ],
    [{ any: [{ $from: 'input.a', equals: 1 }] }, { a: 2 }, false],
  ])('%j on %j is %s', async (when, input, expected) => {
    expect(await holds(when, input)).toEqual(
      expected
        ? { status: 'done', reason: null }
        : { status: 'skipped', reason: 'its condition does not hold' },
    );
  });

  test.each<[object, object, string]>([
    [{ $from: 'input.a', not_equals: 'bad' }, {}, '`input.a` is not there'],
    [
      { $from: 'input.a', equals: 1 },
      { a: [1] },
      'expected `input.a` to be a text, a number, true, false or null, got a list of 1',
    ],
    [{ $from: 'input.a', greater_than: 1 }, { a: '2' }, 'expected `input.a` to be a number, got "2"'],
    [
      { $from: 'input.a', less_than: { $from: 'input.b' } },
      { a: 2, b: null },
      'expected `input.b` to be a number, got null',
    ],
  ])('%j on %j is undecidable and fails the step', async (when, input, reason) => {
    expect(await holds(when, input)).toEqual({ status: 'failed', reason });
  });

  test('on a value of a skipped step skips its own step', async () => {
    const { statuses, result } = await run({
      steps: stepsOf({
        scan: { when: { $from: 'input.scan', exists: true } },
        publish: { when: { $from: 'scan.result.verdict', not_equals: 'bad' } },
      }),
    });
    expect(statuses).toEqual({ scan: 'skipped', publish: 'skipped' });
    expect(result.steps['publish']?.reason).toBe('`scan.result.verdict` is not there: `scan` was skipped');
    expect(result.outcome).toBe('OK');
  });

  test('can ask whether a step was executed', async () => {
    const { statuses } = await run({
      steps: stepsOf({
        a: { when: { $from: 'input.x', exists: true } },
        otherwise: { when: { $from: 'a.outcome', exists: false } },
      }),
    });
    expect(statuses).toEqual({ a: 'skipped', otherwise: 'done' });
  });
});

describe('a step without a result', () => {
  const optional = { when: { $from: 'input.x', exists: true } };

  test('also skips the steps that need it, and no other', async () => {
    const { statuses, plugins, result } = await run({
      steps: stepsOf({
        head: optional,
        branch: { input: { $from: 'head.result' } },
        tip: { input: { $from: 'branch.result.x' } },
        ordered: { after: ['tip'] },
        joined: { input: { $from: 'tip.result', default: 'nothing' } },
      }),
      rest: { output: { $from: 'tip.result', default: 'none' } },
    });
    expect(statuses).toEqual({
      head: 'skipped',
      branch: 'skipped',
      tip: 'skipped',
      ordered: 'done',
      joined: 'done',
    });
    expect(inputOf(plugins, 'joined')).toBe('nothing');
    expect(result).toMatchObject({ outcome: 'OK', output: 'none' });
  });

  test('has its named default, in which paths are followed', async () => {
    const { plugins, result } = await run({
      plugins: { a: fail },
      steps: stepsOf({
        a: { on_failure: 'continue', default: { list: ['one'] } },
        b: { input: [{ $from: 'a.result.list[0]' }, { $from: 'a.outcome' }] },
      }),
      rest: { output: { $from: 'a.result' } },
    });
    expect(inputOf(plugins, 'b')).toEqual(['one', 'PLUGIN_ERROR']);
    expect(result.output).toEqual({ list: ['one'] });
  });
});

describe('a failed step', () => {
  test('with the rule stop cancels what runs, starts nothing more, and is the reason', async () => {
    const { statuses, result, plugins } = await run({
      plugins: { bad: fail, long: stay },
      steps: stepsOf({ long: {}, bad: {}, after: { after: ['bad'] }, later: { after: ['long'] } }),
    });
    expect(statuses).toEqual({
      long: 'cancelled',
      bad: 'failed',
      after: 'not_reached',
      later: 'not_reached',
    });
    expect(plugins.names).toEqual(['long', 'bad']);
    expect(result).toMatchObject({
      outcome: 'FAILED',
      success: false,
      reason: 'The step `bad` failed: PLUGIN_ERROR: broken',
    });
    expect(result.steps['long']).toMatchObject({
      reason: result.reason,
      result: { outcome: 'CANCELLED' },
      startedMs: expect.any(Number),
    });
    expect(result.steps['bad']?.result).toMatchObject({ outcome: 'PLUGIN_ERROR' });
  });

  test('is reported on one line, whatever the plugin threw', async () => {
    const bad = () => {
      throw new Error('one\nlurkbox: two\u202e');
    };
    const { result } = await run({
      plugins: { bad },
      steps: stepsOf({ bad: { on_failure: 'continue' } }),
    });
    expect(result.warnings[0]).toMatch(/PLUGIN_ERROR: one\\u000alurkbox: two\\u202e$/);
  });

  test('with the rule continue skips only those that take its result', async () => {
    const { statuses, result } = await run({
      plugins: { bad: fail },
      steps: stepsOf({
        bad: { on_failure: 'continue' },
        needs: { input: { $from: 'bad.result' } },
        looks: { input: { $from: 'bad.outcome' } },
        ordered: { after: ['bad'] },
      }),
    });
    expect(statuses).toEqual({ bad: 'failed', needs: 'skipped', looks: 'done', ordered: 'done' });
    expect(result).toMatchObject({
      outcome: 'OK',
      warnings: ['The step `bad` failed, and the workflow went on: PLUGIN_ERROR: broken'],
    });
    expect(result.steps['needs']?.reason).toBe('`bad.result` is not there: `bad` failed');
  });

  test('with the rule skip_dependents skips all that depend on it, even those with a default', async () => {
    const { statuses, result } = await run({
      plugins: { bad: fail },
      steps: stepsOf({
        bad: { on_failure: 'skip_dependents', default: 1 },
        needs: { input: { $from: 'bad.result', default: 2 } },
        ordered: { after: ['needs'] },
        beside: {},
      }),
      rest: { output: { $from: 'beside.result' } },
    });
    expect(statuses).toEqual({ bad: 'failed', needs: 'skipped', ordered: 'skipped', beside: 'done' });
    expect(result.steps['ordered']?.reason).toBe('it depends on `needs`, which gave nothing');
    expect(result).toMatchObject({ outcome: 'OK', output: {} });
  });

  test('is the reported reason if it is the first of several', async () => {
    const { result } = await run({ plugins: { a: fail, b: fail }, steps: stepsOf({ a: {}, b: {} }) });
    expect(result.reason).toMatch(/`a` failed/);
  });

  test('is the result of a refused call', async () => {
    const plugins = new FakePlugins();
    plugins.executePlugin = async () => {
      throw new RangeError('too long');
    };
    const result = await runWorkflow({ name: 'x', steps: stepsOf({ a: {} }) }, { plugins });
    expect(result.steps['a']).toMatchObject({
      status: 'failed',
      reason: 'RangeError: too long',
      result: null,
    });
  });

  test('reports a plugin message cut to a readable length', async () => {
    const { result } = await run({
      plugins: {
        a: () => {
          throw new Error('x'.repeat(100_000));
        },
      },
      steps: stepsOf({ a: {} }),
    });
    expect(result.steps['a']?.reason).toHaveLength(500);
  });
});

describe('steps', () => {
  test('that do not depend on each other run at the same time', async () => {
    const all = Promise.withResolvers<void>();
    let arrived = 0;
    const meet: Behaviour = () => {
      if (++arrived === 3) all.resolve();
      return all.promise;
    };
    const { result } = await run({
      plugins: { a: meet, b: meet, c: meet },
      steps: stepsOf({ a: {}, b: {}, c: {}, last: { after: ['a', 'b', 'c'] } }),
    });
    expect(result.outcome).toBe('OK');
  });

  test('pass their deadline to the plugin, or none', async () => {
    const { plugins } = await run({ steps: stepsOf({ a: { timeout_seconds: 2.5 }, b: {} }) });
    expect(plugins.calls.map(({ options }) => options.timeoutMs)).toEqual([2500, undefined]);
  });

  test('can name a range of versions', async () => {
    const { plugins } = await run({ steps: { a: { plugin: 'echo@^1.2.0' } } });
    expect(plugins.names).toEqual(['echo@^1.2.0']);
  });

  test('report every start and end in order, and the progress of plugins', async () => {
    const told: WorkflowProgress[] = [];
    await run({
      plugins: { a: (_, { onProgress }) => onProgress?.(0.5, 'half') },
      steps: stepsOf({ a: {}, b: { after: ['a'], when: { $from: 'input.x', exists: true } } }),
      onProgress: (progress) => told.push(progress),
    });
    expect(told.map(({ step, status, said }) => [step, status, said?.message ?? null])).toEqual([
      ['a', 'running', null],
      ['a', 'running', 'half'],
      ['a', 'done', null],
      ['b', 'skipped', null],
    ]);
  });

  test('are not touched by a listener that throws', async () => {
    const { result } = await run({
      steps: stepsOf({ a: {} }),
      onProgress: () => {
        throw new Error('no');
      },
    });
    expect(result.outcome).toBe('OK');
  });
});

describe('an end of a workflow from outside', () => {
  test('by the deadline cancels what runs and says so', async () => {
    const { statuses, result } = await run({
      plugins: { long: stay },
      steps: stepsOf({ quick: {}, long: {}, later: { after: ['long'] } }),
      rest: { timeout_seconds: 0.05, output: { $from: 'quick.result' } },
    });
    expect(statuses).toEqual({ quick: 'done', long: 'cancelled', later: 'not_reached' });
    expect(result).toMatchObject({
      outcome: 'TIMEOUT',
      output: null,
      reason: 'The workflow was not over within 0.05 s.',
    });
  });

  test('by the caller cancels what runs, and leaves no listener', async () => {
    const caller = new AbortController();
    const { statuses, result } = await run({
      plugins: {
        long: () => {
          caller.abort();
          return new Promise(() => {});
        },
      },
      steps: stepsOf({ long: {}, later: { after: ['long'] } }),
      signal: caller.signal,
    });
    expect(statuses).toEqual({ long: 'cancelled', later: 'not_reached' });
    expect(result).toMatchObject({ outcome: 'CANCELLED', reason: 'The caller aborted.' });
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  test('before the start starts nothing', async () => {
    const { plugins, statuses } = await run({ steps: stepsOf({ a: {} }), signal: AbortSignal.abort() });
    expect(plugins.calls).toEqual([]);
    expect(statuses).toEqual({ a: 'not_reached' });
  });

  test('settles even if a plugin does not', async () => {
    const plugins = new FakePlugins();
    plugins.executePlugin = () => new Promise(() => {});
    const result = await runWorkflow(
      { name: 'x', timeout_seconds: 0.01, steps: stepsOf({ a: {} }) },
      { plugins },
    );
    expect(result.steps['a']).toMatchObject({ status: 'cancelled', result: null });
    expect(result.executionTimeMs).toBeLessThan(5_000);
  });

  test('by a listener that aborts as a step starts settles too, and the step reports nothing more', async () => {
    const caller = new AbortController();
    const plugins = new FakePlugins();
    let say: ExecuteOptions['onProgress'];
    plugins.executePlugin = (_name, _context, options) => {
      say = options?.onProgress;
      return new Promise(() => {});
    };
    const told: string[] = [];
    const result = await runWorkflow(
      { name: 'x', steps: stepsOf({ a: {} }) },
      {
        plugins,
        signal: caller.signal,
        onProgress: ({ status }) => {
          told.push(status);
          caller.abort();
        },
      },
    );
    say?.(1, 'late');
    expect(result).toMatchObject({ outcome: 'CANCELLED', steps: { a: { status: 'cancelled' } } });
    expect(told).toEqual(['running', 'cancelled']);
  });

  test('does not lose an answer that still arrived', async () => {
    const plugins = new FakePlugins();
    plugins.executePlugin = (name, _, options) =>
      new Promise((resolve) =>
        options?.signal?.addEventListener('abort', () => resolve(toResult(name, 'OK', 7))),
      );
    const result = await runWorkflow(
      { name: 'x', timeout_seconds: 0.01, steps: stepsOf({ a: {} }) },
      { plugins },
    );
    expect(result).toMatchObject({
      outcome: 'TIMEOUT',
      steps: { a: { status: 'done', result: { result: 7 } } },
    });
  });
});

describe('a workflow is not started with', () => {
  test.each<[string, WorkflowDocument, object, string]>([
    ['a document that is none', { name: 'x', steps: {} }, {}, 'WORKFLOW_INVALID'],
    ['a context that is none', { name: 'x', steps: stepsOf({ a: {} }) }, { inputs: 1 }, 'CONTEXT_INVALID'],
    [
      'an input that is no object',
      { name: 'x', steps: stepsOf({ a: {} }) },
      { inputData: [] },
      'CONTEXT_INVALID',
    ],
  ])('%s', async (_, document, context, code) => {
    const plugins = new FakePlugins();
    await expect(runWorkflow(document, { plugins, context })).rejects.toMatchObject({ code });
    expect(plugins.calls).toEqual([]);
  });
});

describe('containers of a workflow are prewarmed', () => {
  /** The hints at the moment when each plugin is called. */
  async function hintsAt(steps: Steps, input: object = {}) {
    const plugins = new FakePlugins();
    const seen: Record<string, string> = {};
    const execute = plugins.executePlugin.bind(plugins);
    plugins.executePlugin = async (name, context, options) => {
      // What the call itself leads to comes right after it.
      await Promise.resolve();
      seen[name] = plugins.prewarmed.map(([hinted, size]) => `${hinted} ${size}`).join(', ');
      return execute(name, context, options);
    };
    await runWorkflow({ name: 'x', steps }, { plugins, context: { inputData: input as never } });
    return { seen, hints: plugins.prewarmed };
  }

  test('for the next step while one runs, and not after it has started', async () => {
    const { seen, hints } = await hintsAt(stepsOf({ a: {}, b: { after: ['a'] }, c: { after: ['b'] } }));
    expect(seen['a']).toBe('b 1');
    expect(hints).toEqual([
      ['b', 1],
      ['b', 0],
      ['c', 1],
      ['c', 0],
    ]);
  });

  test('for a step after several others only when the last of them runs', async () => {
    const { seen } = await hintsAt(stepsOf({ a: {}, b: { after: ['a'] }, both: { after: ['a', 'b'] } }));
    expect(seen).toMatchObject({ a: 'b 1', b: 'b 1, b 0, both 1' });
  });

  test('in the number of steps of one plugin', async () => {
    const { hints } = await hintsAt({
      a: { plugin: 'a' },
      b: { plugin: 'echo', after: ['a'] },
      c: { plugin: 'echo', after: ['a'] },
    });
    expect(hints).toEqual([
      ['echo', 1],
      ['echo', 2],
      ['echo', 1],
      ['echo', 0],
    ]);
  });

  test('but not for a step whose condition is known to be false', async () => {
    const { hints } = await hintsAt(
      stepsOf({ a: {}, b: { after: ['a'], when: { $from: 'input.x', equals: 1 } } }),
      { x: 2 },
    );
    expect(hints).toEqual([]);
  });

  test('and given back when a step is not executed', async () => {
    const { hints } = await hintsAt(
      stepsOf({ a: {}, b: { when: { $from: 'a.outcome', equals: 'TIMEOUT' } } }),
    );
    expect(hints).toEqual([
      ['b', 1],
      ['b', 0],
    ]);
  });

  test('through `hint`, its former name, where an object has no `prewarm`', async () => {
    const plugins = new FakePlugins();
    const { prewarmed } = plugins;
    const before = {
      executePlugin: plugins.executePlugin.bind(plugins),
      hint: plugins.prewarm.bind(plugins),
    } as unknown as FakePlugins;
    await runWorkflow({ name: 'x', steps: stepsOf({ a: {}, b: { after: ['a'] } }) }, { plugins: before });
    expect(prewarmed).toEqual([
      ['b', 1],
      ['b', 0],
    ]);
  });

  test('without effect on the run if the prewarming fails or never resolves', async () => {
    for (const prewarm of [
      () => Promise.reject(new Error('does not fit')),
      () => new Promise<number>(() => {}),
      () => {
        throw new Error('at once');
      },
    ]) {
      const plugins = new FakePlugins();
      plugins.prewarm = prewarm;
      const result = await runWorkflow(
        { name: 'x', steps: stepsOf({ a: {}, b: { after: ['a'] } }) },
        { plugins },
      );
      expect(result.outcome).toBe('OK');
    }
  });
});
