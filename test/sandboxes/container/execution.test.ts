import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OUTCOMES, type Outcome } from '../../../src/calls/outcome.ts';
import { Stopwatch } from '../../../src/calls/stopwatch.ts';
import type { LurkboxErrorCode } from '../../../src/errors.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import { frameRecord } from '../../../src/protocol/framing.ts';
import { HUNG_UP_EXIT_CODE, toOutputEnd } from '../../../src/protocol/messages.ts';
import type { Execution } from '../../../src/sandboxes/container/execution.ts';
import { blockFor } from '../../helpers/block-for.ts';
import {
  type EngineCall,
  engineError,
  type FakeContainer,
  FakeEngine,
  never,
} from '../../helpers/fake-engine.ts';
import { IMAGE } from '../../spec/sample.ts';
import { CONTEXT, type ExecutionChanges, executionOf } from './sample.ts';

const NAME = 'lurkbox-e1';
/** Longer than any fake needs, and short enough to wait for in a test that goes wrong. */
const SOON_MS = 3_000;

const execute = (engine: FakeEngine, changes: ExecutionChanges = {}): Execution =>
  executionOf(engine, { context: { ...CONTEXT, inputData: { text: 'hi' } }, ...changes });

/** A runner with a plugin: says `ready`, takes the context, then does what it is told. */
const runner =
  (plugin: (container: FakeContainer) => unknown) =>
  async (container: FakeContainer): Promise<void> => {
    container.ready();
    await container.executed;
    await plugin(container);
  };

const answering = runner((container) => container.answer(42));
const silent = runner(() => {});

async function printForever(container: FakeContainer): Promise<void> {
  const timer = setInterval(() => container.print('x\n'), 5);
  await container.ended;
  clearInterval(timer);
}

/** The value, or a failure that says that it did not come. */
async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = delay(SOON_MS, undefined, { ref: false }).then(() => {
    throw new Error(`${what} did not come within ${SOON_MS} ms`);
  });
  return Promise.race([promise, late]);
}

async function outcomeOf(execution: Execution): Promise<Outcome> {
  return (await soon(execution.ending, 'the ending')).outcome;
}

/** P2: after every execution nothing is left, and nothing was removed twice at once. */
async function expectNothingLeft(engine: FakeEngine, execution: Execution): Promise<void> {
  await soon(execution.removed, 'the removal');
  expect(engine.alive).toEqual([]);
  expect([...engine.networks]).toEqual([]);
  expect(engine.mostRemovalsAtOnce).toBeLessThanOrEqual(1);
}

describe('an execution', () => {
  test('calls the engine in a fixed order', async () => {
    const engine = new FakeEngine(answering);
    const execution = execute(engine);
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 42 });
    await expectNothingLeft(engine, execution);
    expect(engine.calls).toEqual([
      'createContainer',
      'attachContainer',
      'startContainer',
      'containerUsage',
      'removeContainer',
    ]);
  });

  test('makes its own network when the grant has a bridge, and removes it last', async () => {
    const engine = new FakeEngine(answering);
    engine.before.createContainer = () => {
      expect([...engine.networks]).toEqual([
        [NAME, expect.objectContaining({ 'lurkbox.kind': 'network', 'lurkbox.instance': 'i-1' })],
      ]);
    };
    const execution = execute(engine, { grant: { network: 'bridge' } });
    expect(await outcomeOf(execution)).toBe('OK');
    await expectNothingLeft(engine, execution);
    expect(engine.calls.at(0)).toBe('createNetwork');
    expect(engine.calls.slice(-2)).toEqual(['removeContainer', 'removeNetwork']);
  });

  test('labels its container in the create call', async () => {
    const engine = new FakeEngine(answering);
    await execute(engine).removed;
    expect(engine.container.spec).toMatchObject({
      name: NAME,
      image: IMAGE,
      labels: {
        'lurkbox.kind': 'container',
        'lurkbox.instance': 'i-1',
        'lurkbox.execution': 'e1',
        'lurkbox.plugin': 'word-count',
        'lurkbox.version': '1.0.0',
      },
    });
  });

  test('sends the context once, after `ready`, with the entry point of the image', async () => {
    const engine = new FakeEngine(answering);
    await execute(engine).removed;
    expect(engine.container.received).toEqual([
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'execute',
        params: {
          entryPoint: '/plugin/index.js',
          maxResultBytes: expect.any(Number),
          context: expect.objectContaining({ executionId: 'e1', inputData: { text: 'hi' } }),
        },
      },
    ]);
  });

  test('reports what the engine measured before the removal', async () => {
    const engine = new FakeEngine(answering);
    const execution = execute(engine);
    await expect(execution.usage).resolves.toEqual({ peakMemoryBytes: 50_000_000, cpuTimeMs: 40 });
    await execution.removed;
    expect(engine.calls.indexOf('containerUsage')).toBeLessThan(engine.calls.indexOf('removeContainer'));
  });

  test('does not fail because a measurement fails', async () => {
    const engine = new FakeEngine(answering);
    engine.before.containerUsage = () => {
      throw engineError('ENGINE_LOST');
    };
    const execution = execute(engine);
    expect(await outcomeOf(execution)).toBe('OK');
    await expect(execution.usage).resolves.toEqual({ peakMemoryBytes: null, cpuTimeMs: null });
    await expectNothingLeft(engine, execution);
  });

  test('keeps what the plugin logged and printed, in order', async () => {
    const engine = new FakeEngine(
      runner((container) => {
        container.say({ method: 'log', params: { level: 'error', message: 'logged' } });
        container.print('printed\n');
        container.print('complained\n', 'stderr');
        container.answer(1);
      }),
    );
    const execution = execute(engine);
    await execution.ending;
    expect(execution.logs.lines()).toEqual([
      { level: 'error', source: 'console', message: 'logged' },
      { level: 'info', source: 'stdout', message: 'printed' },
      { level: 'warn', source: 'stderr', message: 'complained' },
    ]);
    await execution.removed;
  });

  test('reports progress', async () => {
    const told: unknown[] = [];
    const engine = new FakeEngine(
      runner((container) => {
        container.say({ method: 'progress', params: { fraction: 0.5, message: 'half' } });
        container.say({ method: 'progress', params: { fraction: 1 } });
        container.answer(1);
      }),
    );
    await execute(engine, { onProgress: (...args) => told.push(args) }).removed;
    expect(told).toEqual([
      [0.5, 'half'],
      [1, ''],
    ]);
  });

  test('reports the progress message of a plugin on one line, cut to the length of a line', async () => {
    const told: string[] = [];
    const engine = new FakeEngine(
      runner((container) => {
        container.say({ method: 'progress', params: { fraction: 0, message: 'a\n\u001b[2J' } });
        container.say({ method: 'progress', params: { fraction: 1, message: 'x'.repeat(50_000) } });
        container.answer(1);
      }),
    );
    await execute(engine, { onProgress: (_fraction, message) => told.push(message) }).removed;
    expect(told).toEqual(['a\\u000a\\u001b[2J', `${'x'.repeat(8_000)}… (50000 characters)`]);
  });

  test('warns that the output of exit handlers is in no log', async () => {
    const told: unknown[] = [];
    const engine = new FakeEngine(
      runner((container) => {
        container.onHungUp = () => {
          container.print('bye\n');
          container.exit({ exitCode: HUNG_UP_EXIT_CODE });
        };
        container.answer(42);
      }),
    );
    const execution = execute(engine, { onLost: (lost) => told.push(lost) });
    await execution.removed;
    expect(execution.logs.lines()).toEqual([]);
    expect(told).toEqual([{ wasCut: false, graceMs: 200, hasEnded: false, hasPrinted: true, error: null }]);
  });

  test('does not end differently because a listener throws', async () => {
    const engine = new FakeEngine(
      runner((container) => {
        container.say({ method: 'progress', params: { fraction: 0.5 } });
        container.answer(42);
      }),
    );
    const onProgress = (): never => {
      throw new Error('a fault of the listener');
    };
    const execution = execute(engine, { onProgress, grant: { timeoutMs: 100 } });
    expect(await outcomeOf(execution)).toBe('OK');
    await expectNothingLeft(engine, execution);
  });

  test('measures each phase that it reached, and only those', async () => {
    const stopwatch = new Stopwatch();
    const engine = new FakeEngine(answering);
    await execute(engine, { stopwatch }).removed;
    const { queueMs, ...reached } = stopwatch.phases();
    expect(queueMs).toBeNull();
    for (const ms of Object.values(reached)) expect(ms).toBeGreaterThanOrEqual(0);
  });
});

describe('the outcome', () => {
  const ready = (container: FakeContainer): void => container.ready();
  const error = (code: number, message = 'm'): object => ({ id: 1, error: { code, message } });

  test.each<[Outcome, string, (container: FakeContainer) => unknown, Partial<Grant>?]>([
    ['OK', 'a result', answering],
    ['OK', 'the result null', runner((container) => container.answer(null))],
    ['PLUGIN_ERROR', 'a plugin that throws', runner((container) => container.say(error(-32001)))],
    ['PLUGIN_ERROR', 'a plugin that cannot be loaded', runner((container) => container.say(error(-32002)))],
    ['PLUGIN_ERROR', 'a result that is no JSON', runner((container) => container.say(error(-32004)))],
    ['PLUGIN_ERROR', 'an error code that nobody knows', runner((container) => container.say(error(1)))],
    [
      'NO_RESULT',
      'a plugin with nothing left to wait for',
      runner((container) => container.say(error(-32003))),
    ],
    ['NO_RESULT', 'an exit with code 0', runner((container) => container.exit())],
    ['PLUGIN_CRASHED', 'an exit with code 1', runner((container) => container.exit({ exitCode: 1 }))],
    ['PLUGIN_CRASHED', 'a signal', runner((container) => container.exit({ exitCode: 139 }))],
    ['PLUGIN_CRASHED', 'an exit before `ready`', (container) => container.exit({ exitCode: 1 })],
    [
      'OUT_OF_MEMORY',
      'a kill by the kernel',
      runner((container) => container.exit({ exitCode: 137, outOfMemory: true })),
    ],
    [
      'OUT_OF_MEMORY',
      'a full heap',
      runner((container) => {
        container.print('FATAL ERROR: Reached heap limit Allocation failed\n', 'stderr');
        container.exit({ exitCode: 134 });
      }),
    ],
    [
      'PLUGIN_CRASHED',
      'the exit code of a killed engine, which a plugin can have too',
      runner((container) => container.exit({ exitCode: 255 })),
    ],
    ['TIMEOUT', 'silence', silent, { timeoutMs: 50 }],
    [
      'OUTPUT_LIMIT',
      'a record without an end',
      runner((container) => container.print(`\u001e${'x'.repeat(4096 + 16 * 1024 + 1)}`)),
      { outputBytes: 4096 },
    ],
    [
      'OUTPUT_LIMIT',
      'a result that the runner finds too large',
      runner((container) =>
        container.say({ id: 1, error: { code: -32006, message: '`result` has too much' } }),
      ),
      {},
    ],
    [
      'OUTPUT_LIMIT',
      'a result that is too large',
      runner((container) => container.answer('x'.repeat(4096 + 16 * 1024))),
      { outputBytes: 4096 },
    ],
    ['PROTOCOL_ERROR', 'a record that is no JSON', runner((container) => container.print('\u001e{\n'))],
    ['PROTOCOL_ERROR', 'a method nobody knows', runner((container) => container.say({ method: 'x' }))],
    ['PROTOCOL_ERROR', 'a result before `ready`', (container) => container.answer(1)],
    [
      'PROTOCOL_ERROR',
      'a log line before `ready`',
      (c) => c.say({ method: 'log', params: { level: 'info', message: '' } }),
    ],
    ['PROTOCOL_ERROR', 'a second `ready`', runner(ready)],
    [
      'PROTOCOL_ERROR',
      'another version of the protocol',
      (container) => container.say({ method: 'ready', params: { protocol: 2, node: 'v24' } }),
    ],
  ])('is %s after %s', async (outcome, _what, program, grant) => {
    const engine = new FakeEngine(program);
    const execution = execute(engine, { ...(grant && { grant }) });
    expect(await outcomeOf(execution)).toBe(outcome);
    await expectNothingLeft(engine, execution);
    expect(engine.removed).toEqual(['id-1']);
  });

  test.each<[string, (container: FakeContainer) => void]>([
    ['another result', (container) => container.answer('second')],
    ['an error', (container) => container.say(error(-32001))],
    ['an exit', (container) => container.exit({ exitCode: 1 })],
    ['a broken record', (container) => container.print('\u001e{\n')],
    ['a flood', (container) => container.print('x'.repeat(2 * 1024 * 1024))],
  ])('is decided by the first response, whatever follows it: %s', async (_what, after) => {
    const engine = new FakeEngine(
      runner((container) => {
        container.answer('first');
        after(container);
      }),
    );
    const execution = execute(engine);
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'first' });
    await expectNothingLeft(engine, execution);
  });

  test('has the message and the stack of the plugin, and nothing about the host', async () => {
    const failure = {
      code: -32001,
      message: 'no such city',
      data: { name: 'RangeError', stack: 'RangeError: …', details: { status: 404 } },
    };
    const engine = new FakeEngine(runner((container) => container.say({ id: 1, error: failure })));
    await expect(execute(engine).ending).resolves.toEqual({
      outcome: 'PLUGIN_ERROR',
      error: {
        code: 'PLUGIN_ERROR',
        message: 'RangeError: no such city',
        stack: 'RangeError: …',
        details: { status: 404 },
        hint: null,
      },
    });
  });
});

describe('a deadline', () => {
  const grant = { timeoutMs: 80 };

  test('kills the container, and only then settles', async () => {
    const engine = new FakeEngine(silent);
    const execution = execute(engine, { grant });
    expect(await outcomeOf(execution)).toBe('TIMEOUT');
    expect(engine.removed).toEqual(['id-1']);
    await expectNothingLeft(engine, execution);
    expect(engine.timesOf('removeContainer')).toBe(1);
  });

  test('does not lose a result that was written while the event loop stood still (P3)', async () => {
    const engine = new FakeEngine(
      runner((container) => {
        // In this order the loop comes to the timer first and to the data that is there already only after it.
        setImmediate(() => {
          blockFor(grant.timeoutMs + 40);
          setImmediate(() => container.answer('in time'));
        });
      }),
    );
    engine.before.removeContainer = () => delay(20);
    const execution = execute(engine, { grant });
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'in time' });
    await expectNothingLeft(engine, execution);
  });

  test('does not lose what was printed before an answer in time', async () => {
    const engine = new FakeEngine(silent);
    engine.before.removeContainer = async () => {
      const { container } = engine;
      container.print(frameRecord(JSON.stringify({ jsonrpc: '2.0', id: 1, result: 'in time' })));
      await delay(20);
      container.print(`why\n${frameRecord(toOutputEnd(1))}`, 'stderr');
    };
    const execution = execute(engine, { grant });
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'in time' });
    expect(execution.logs.lines()).toMatchObject([{ source: 'stderr', message: 'why' }]);
    expect(execution.logs.warnings()).toEqual([]);
    await expectNothingLeft(engine, execution);
  });

  test('waits for all of stderr before the answer, however much follows it', async () => {
    const engine = new FakeEngine(
      runner(async (container) => {
        container.print(frameRecord(JSON.stringify({ jsonrpc: '2.0', id: 1, result: 'done' })));
        for (let piece = 0; piece < 20; piece++) {
          container.print(`${'x'.repeat(1_023)}\n`.repeat(16), 'stderr');
          await delay(1);
        }
        container.print(`why\n${frameRecord(toOutputEnd(1))}`, 'stderr');
      }),
    );
    const execution = execute(engine);
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'done' });
    expect(execution.logs.lines().at(-1)).toMatchObject({ source: 'stderr', message: 'why' });
    expect(execution.logs.warnings().join()).not.toContain('missing');
    await expectNothingLeft(engine, execution);
  });

  test('is reported when it cuts off what was printed before the answer', async () => {
    const engine = new FakeEngine(
      runner((container) => {
        container.print(frameRecord(JSON.stringify({ jsonrpc: '2.0', id: 1, result: 'alone' })));
        container.exit();
      }),
    );
    const execution = execute(engine);
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'alone' });
    expect(execution.logs.warnings()).toEqual([expect.stringContaining('lines may be missing')]);
    await expectNothingLeft(engine, execution);
  });

  test('reads on until the killed container has delivered what it wrote', async () => {
    const engine = new FakeEngine(silent);
    engine.before.removeContainer = async () => {
      await delay(50);
      engine.container.answer('late but written');
    };
    const execution = execute(engine, { grant });
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'late but written' });
    await expectNothingLeft(engine, execution);
  });

  test('settles within 2 s even if the container cannot be killed (P4)', async () => {
    const engine = new FakeEngine(silent);
    engine.before.removeContainer = (time) => (time === 1 ? delay(2_500) : undefined);
    const startedAt = performance.now();
    const execution = execute(engine, { grant });
    expect((await execution.ending).outcome).toBe('TIMEOUT');
    expect(performance.now() - startedAt).toBeLessThan(2_000 + grant.timeoutMs);
    await execution.removed;
    expect(engine.alive).toEqual([]);
  });

  test('is the reason of the ending when only the stream had ended before it', async () => {
    const engine = new FakeEngine(runner((container) => container.endStream()));
    const execution = execute(engine, { grant });
    // The exit code is there for a moment before the container is gone.
    engine.before.removeContainer = () => {
      engine.container.exit({ exitCode: 137 });
      return delay(30);
    };
    expect(await outcomeOf(execution)).toBe('TIMEOUT');
    await expectNothingLeft(engine, execution);
  });
});

describe('a caller that aborts', () => {
  interface Phase {
    readonly program?: (container: FakeContainer) => unknown;
    /** The call that hangs, and is answered only when the execution has settled. */
    readonly hangs?: EngineCall;
    readonly network?: Grant['network'];
  }

  const phases: [string, Phase][] = [
    ['the network is created', { hangs: 'createNetwork', network: 'bridge' }],
    ['the container is created', { hangs: 'createContainer' }],
    ['attaching', { hangs: 'attachContainer' }],
    ['the container starts', { hangs: 'startContainer' }],
    ['Node boots', { program: () => {} }],
    ['the plugin runs', { program: silent }],
    ['the plugin floods', { program: runner(printForever) }],
    ['the exit is waited for', { program: runner((container) => container.endStream()) }],
    ['the exit is read', { program: runner((container) => container.exit()), hangs: 'containerExit' }],
  ];

  test.each(phases)('while %s gets `CANCELLED` at once, and nothing is left', async (_title, phase) => {
    const caller = new AbortController();
    const released = Promise.withResolvers<void>();
    const engine = new FakeEngine(phase.program ?? silent);
    if (phase.hangs !== undefined) engine.before[phase.hangs] = () => released.promise;
    const execution = execute(engine, { signal: caller.signal, grant: { network: phase.network ?? 'none' } });
    await delay(30);
    caller.abort();
    expect(await outcomeOf(execution)).toBe('CANCELLED');
    released.resolve();
    await expectNothingLeft(engine, execution);
    expect(engine.timesOf('removeContainer')).toBe(1);
  });

  test.each<[string, EngineCall]>([
    ['the container is created', 'createContainer'],
    ['attaching', 'attachContainer'],
  ])('while %s starts nothing more', async (_title, call) => {
    const caller = new AbortController();
    const engine = new FakeEngine(answering);
    engine.before[call] = () => caller.abort();
    const execution = execute(engine, { signal: caller.signal });
    expect(await outcomeOf(execution)).toBe('CANCELLED');
    await expectNothingLeft(engine, execution);
    expect(engine.timesOf('startContainer')).toBe(0);
  });

  test('while the container starts sends no context to the plugin', async () => {
    const caller = new AbortController();
    const engine = new FakeEngine(answering);
    engine.before.startContainer = () => caller.abort();
    const execution = execute(engine, { signal: caller.signal });
    expect(await outcomeOf(execution)).toBe('CANCELLED');
    await expectNothingLeft(engine, execution);
    expect(engine.container.received.filter(({ method }) => method === 'execute')).toEqual([]);
  });

  test('before the start creates nothing', async () => {
    const engine = new FakeEngine(answering);
    const execution = execute(engine, { signal: AbortSignal.abort(), grant: { network: 'bridge' } });
    expect(await outcomeOf(execution)).toBe('CANCELLED');
    await expectNothingLeft(engine, execution);
    expect(engine.calls.filter((call) => call.startsWith('create'))).toEqual([]);
  });

  test('does not wait for a call to the engine that never returns', async () => {
    const caller = new AbortController();
    const engine = new FakeEngine();
    engine.before.createContainer = never;
    const execution = execute(engine, { signal: caller.signal });
    caller.abort();
    expect(await outcomeOf(execution)).toBe('CANCELLED');
  });

  test('after the result changes nothing', async () => {
    const caller = new AbortController();
    const engine = new FakeEngine(answering);
    const execution = execute(engine, { signal: caller.signal });
    await execution.ending;
    caller.abort();
    expect(await outcomeOf(execution)).toBe('OK');
    await expectNothingLeft(engine, execution);
  });

  test('is announced to a running plugin before the container ends', async () => {
    const caller = new AbortController();
    const engine = new FakeEngine(silent);
    const execution = execute(engine, { signal: caller.signal });
    await delay(30);
    caller.abort();
    await expectNothingLeft(engine, execution);
    expect(engine.container.received.map(({ method }) => method)).toEqual(['execute', 'cancel']);
  });
});

describe('an engine that fails', () => {
  test.each<[EngineCall, LurkboxErrorCode, Outcome]>([
    ['createNetwork', 'HOST_RESOURCES', 'HOST_RESOURCES'],
    ['createNetwork', 'ENGINE_INSECURE', 'ENGINE_INSECURE'],
    ['createContainer', 'ENGINE_UNAVAILABLE', 'ENGINE_UNAVAILABLE'],
    ['createContainer', 'ENGINE_TIMEOUT', 'ENGINE_TIMEOUT'],
    ['createContainer', 'ENGINE_INSECURE', 'ENGINE_INSECURE'],
    ['createContainer', 'IMAGE_MISSING', 'IMAGE_MISSING'],
    ['createContainer', 'RUNTIME_UNAVAILABLE', 'RUNTIME_UNAVAILABLE'],
    ['createContainer', 'ENGINE_ERROR', 'INTERNAL'],
    ['attachContainer', 'CONTAINER_VANISHED', 'CONTAINER_VANISHED'],
    ['attachContainer', 'ENGINE_TIMEOUT', 'ENGINE_TIMEOUT'],
    ['attachContainer', 'ENGINE_LOST', 'ENGINE_LOST'],
    ['startContainer', 'HOST_RESOURCES', 'HOST_RESOURCES'],
    ['startContainer', 'ENGINE_INSECURE', 'ENGINE_INSECURE'],
    ['startContainer', 'ENGINE_TIMEOUT', 'ENGINE_TIMEOUT'],
    ['waitContainer', 'CONTAINER_VANISHED', 'CONTAINER_VANISHED'],
    ['waitContainer', 'ENGINE_UNAVAILABLE', 'ENGINE_LOST'],
    ['waitContainer', 'ENGINE_LOST', 'ENGINE_LOST'],
    ['waitContainer', 'ENGINE_TIMEOUT', 'ENGINE_TIMEOUT'],
    ['containerExit', 'CONTAINER_VANISHED', 'CONTAINER_VANISHED'],
    ['containerExit', 'ENGINE_UNAVAILABLE', 'ENGINE_LOST'],
  ])('at `%s` with %s ends the execution as %s', async (call, code, outcome) => {
    const engine = new FakeEngine(runner((container) => container.exit({ exitCode: 1 })));
    engine.before[call] = () => {
      throw engineError(code);
    };
    const execution = execute(engine, { grant: { network: 'bridge' } });
    const ending = await soon(execution.ending, 'the ending');
    expect(ending).toMatchObject({ outcome, error: { message: expect.stringMatching(/\w/) } });
    await expectNothingLeft(engine, execution);
    expect(engine.timesOf('startContainer')).toBeLessThanOrEqual(1);
  });

  test('with an unknown error ends the execution as INTERNAL', async () => {
    const engine = new FakeEngine();
    engine.before.createContainer = () => {
      throw new TypeError('x is not a function');
    };
    await expect(execute(engine).ending).resolves.toMatchObject({
      outcome: 'INTERNAL',
      error: { message: expect.stringContaining('x is not a function') },
    });
  });

  test('to answer the create call still gets its container removed, by name', async () => {
    const engine = new FakeEngine();
    engine.after.createContainer = () => {
      throw engineError('ENGINE_TIMEOUT');
    };
    const execution = execute(engine);
    expect(await outcomeOf(execution)).toBe('ENGINE_TIMEOUT');
    await expectNothingLeft(engine, execution);
    expect(engine.containers).toHaveLength(1);
    expect(engine.removed).toEqual([NAME]);
  });

  test('to answer the start call gets its container removed, and no second start (P9)', async () => {
    const engine = new FakeEngine();
    engine.after.startContainer = () => {
      throw engineError('ENGINE_LOST');
    };
    const execution = execute(engine);
    expect(await outcomeOf(execution)).toBe('ENGINE_LOST');
    await expectNothingLeft(engine, execution);
    expect(engine.timesOf('startContainer')).toBe(1);
  });

  test('to keep the stream open is asked how the container ended', async () => {
    const engine = new FakeEngine(runner((container) => container.lose()));
    engine.before.waitContainer = () => engine.container.exit({ exitCode: 3 });
    const execution = execute(engine);
    expect(await outcomeOf(execution)).toBe('PLUGIN_CRASHED');
    await expectNothingLeft(engine, execution);
  });

  test('to send a readable stream is asked how the container ended', async () => {
    const engine = new FakeEngine(runner((container) => container.send(Buffer.from('HTTP/1.1 500 no\r\n'))));
    engine.before.waitContainer = () => engine.container.exit({ exitCode: 3 });
    const execution = execute(engine);
    expect(await outcomeOf(execution)).toBe('PLUGIN_CRASHED');
    await expectNothingLeft(engine, execution);
  });

  test('to remove is asked again', async () => {
    const engine = new FakeEngine(answering);
    engine.before.removeContainer = (time) => {
      if (time === 1) throw engineError('ENGINE_TIMEOUT');
    };
    const execution = execute(engine, { grant: { network: 'bridge' } });
    expect(await outcomeOf(execution)).toBe('OK');
    await expectNothingLeft(engine, execution);
    expect(engine.removed).toEqual(['id-1', 'id-1']);
  });
});

/** P1. Whatever happens in whatever order, within a turn of the loop or across several. */
describe('an execution under any order of events', () => {
  const events = {
    result: ({ container }: FakeEngine) => container.answer(1),
    error: ({ container }: FakeEngine) => container.say({ id: 1, error: { code: -32001, message: 'm' } }),
    garbage: ({ container }: FakeEngine) => container.print('\u001e{\n'),
    exit: ({ container }: FakeEngine) => container.exit({ exitCode: 1 }),
    endOfStream: ({ container }: FakeEngine) => container.endStream(),
    broken: ({ container }: FakeEngine) => container.lose(),
    abort: (_engine: FakeEngine, caller: AbortController) => caller.abort(),
    timer: () => delay(30),
    engineDown: (engine: FakeEngine) => {
      for (const call of ['waitContainer', 'containerExit', 'containerUsage'] as const) {
        engine.before[call] = () => Promise.reject(engineError('ENGINE_UNAVAILABLE'));
      }
    },
    turn: () => delay(0),
  };
  type Event = keyof typeof events;
  const anyEvents = fc.array(fc.constantFrom(...(Object.keys(events) as Event[])), { maxLength: 8 });

  test('ends exactly once and leaves nothing', { timeout: 60_000 }, async () => {
    const property = fc.asyncProperty(anyEvents, async (order) => {
      const caller = new AbortController();
      const engine = new FakeEngine(
        runner(async () => {
          for (const event of order) await events[event](engine, caller);
        }),
      );
      const execution = execute(engine, { signal: caller.signal, grant: { timeoutMs: 25 } });
      const ending = await soon(execution.ending, 'the ending');
      expect(Object.keys(OUTCOMES)).toContain(ending.outcome);
      // P3: a result is never invented.
      if (ending.outcome === 'OK') expect(order).toContain('result');
      if (ending.outcome === 'CANCELLED') expect(order).toContain('abort');
      await expectNothingLeft(engine, execution);
      expect(engine.timesOf('startContainer')).toBe(1);
      expect(await execution.ending).toBe(ending);
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

describe('what an execution may leave', () => {
  test.each<[title: string, set: (engine: FakeEngine) => void, suspicions: number]>([
    ['is nothing when the container was removed', () => {}, 0],
    [
      'is a container whose create call was not answered',
      (engine) => {
        engine.after.createContainer = () => {
          throw engineError('ENGINE_TIMEOUT');
        };
      },
      1,
    ],
    [
      'is not a container that the engine refused to create',
      (engine) => {
        engine.before.createContainer = () => {
          throw engineError('IMAGE_MISSING');
        };
      },
      0,
    ],
    [
      'is a container that could not be removed',
      (engine) => {
        engine.before.removeContainer = () => {
          throw engineError('ENGINE_ERROR');
        };
      },
      1,
    ],
  ])('in the engine %s (P2)', async (_title, set, suspicions) => {
    const engine = new FakeEngine(runner((container) => container.answer(1)));
    set(engine);
    let told = 0;
    const execution = execute(engine, { onSuspicion: () => void told++ });
    await execution.removed;
    expect(told).toBe(suspicions);
  });
});
