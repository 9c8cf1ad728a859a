import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type ExecutionContextOptions, parseContext } from '../../../src/calls/context.ts';
import type { PluginExecutionResult } from '../../../src/calls/result.ts';
import { admissionOf } from '../../calls/admission/sample.ts';
import { engineError, type FakeContainer, FakeEngine, never } from '../../helpers/fake-engine.ts';
import { GRANT, IMAGE } from '../../spec/sample.ts';
import { DIGEST, type SandboxChanges, sandboxOf } from './sample.ts';

/** A runner whose plugin answers its input. */
async function echo(container: FakeContainer): Promise<void> {
  container.ready();
  await container.executed;
  const [request] = container.received as { params: { context: { inputData: unknown } } }[];
  container.answer(request?.params.context.inputData);
}

async function silent(container: FakeContainer): Promise<void> {
  container.ready();
}

const untilAborted = (signal?: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

const contextOf = (written: ExecutionContextOptions = {}) => parseContext(written);

/** The result, or `late` when it does not come at once. */
async function atOnce(result: Promise<PluginExecutionResult>): Promise<PluginExecutionResult | 'late'> {
  return Promise.race([result, delay(2_000, 'late' as const, { ref: false })]);
}

test('a result says which plugin was executed and how', async () => {
  const sandbox = sandboxOf(new FakeEngine(echo));
  const result = await sandbox.execute(contextOf({ inputData: { a: 1 } }), { waitForRemoval: true });
  expect(result).toMatchObject({
    executionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    plugin: 'word-count',
    version: '1.0.0',
    digest: DIGEST,
    outcome: 'OK',
    success: true,
    result: { a: 1 },
    error: null,
    usage: { peakMemoryBytes: 50_000_000, cpuTimeMs: 40 },
    logs: [],
    warnings: [],
    metadata: {},
  });
  for (const ms of Object.values(result.phases)) expect(ms).toBeGreaterThanOrEqual(0);
});

test('each execution has its own container and id', async () => {
  const engine = new FakeEngine(echo);
  const sandbox = sandboxOf(engine);
  const results = await Promise.all([1, 2, 3].map((inputData) => sandbox.execute(contextOf({ inputData }))));
  await sandbox.close();
  expect(results.map(({ result }) => result)).toEqual([1, 2, 3]);
  expect(new Set(results.map(({ executionId }) => executionId)).size).toBe(3);
  expect(new Set(engine.containers.map(({ spec }) => spec.name)).size).toBe(3);
});

describe('an execution starts no container for', () => {
  const schemas = {
    input_schema: { type: 'object', required: ['city'] },
    config_schema: { type: 'object', properties: { unit: { enum: ['C', 'F'] } } },
  };

  test.each<[string, ExecutionContextOptions, SandboxChanges, object]>([
    [
      'input that does not fit its schema',
      { inputData: {} },
      { manifest: schemas },
      {
        outcome: 'INPUT_INVALID',
        error: { message: expect.stringContaining("`inputData` must have required property 'city'") },
      },
    ],
    [
      'configuration that does not fit its schema',
      { inputData: { city: 'x' }, config: { unit: 'K' } },
      { manifest: schemas },
      {
        outcome: 'INPUT_INVALID',
        error: {
          message: expect.stringMatching(
            /^`config\.unit` must be one of "C", "F", got a text of 1 characters, as `config_schema` says\./,
          ),
        },
      },
    ],
    [
      'a context that is too large',
      { inputData: 'x'.repeat(16 * 1024 * 1024) },
      {},
      { outcome: 'INPUT_INVALID', error: { message: expect.stringContaining('at most 16777216') } },
    ],
    [
      'a channel that the manifest does not name',
      { channelId: 'discord' },
      { grant: { ...GRANT, channels: ['slack'] } },
      { outcome: 'PERMISSION_DENIED', error: { message: expect.stringContaining('slack') } },
    ],
    [
      'every channel where the manifest names none',
      { channelId: 'discord' },
      { grant: { ...GRANT, channels: [] } },
      { outcome: 'PERMISSION_DENIED', error: { message: expect.stringContaining('(none)') } },
    ],
  ])('%s', async (_title, context, changes, expected) => {
    const engine = new FakeEngine(echo);
    const result = await sandboxOf(engine, changes).execute(contextOf(context));
    expect(result).toMatchObject({ ...expected, success: false, result: null });
    expect(engine.calls).toEqual([]);
  });
});

test.each([
  ['a channel that the manifest names', 'slack', ['slack']],
  ['any channel where the manifest is silent', 'discord', null],
  ['no channel where the manifest is silent', null, null],
])('an execution is allowed for %s', async (_title, channelId, channels) => {
  const sandbox = sandboxOf(new FakeEngine(echo), { grant: { ...GRANT, channels } });
  expect(await sandbox.execute(contextOf({ channelId }))).toMatchObject({ outcome: 'OK' });
});

test('a call without a channel is refused when the manifest names channels', async () => {
  const sandbox = sandboxOf(new FakeEngine(echo), { grant: { ...GRANT, channels: ['slack'] } });
  const { outcome, error } = await sandbox.execute(contextOf({ channelId: null }));
  expect(outcome).toBe('PERMISSION_DENIED');
  expect(error?.message).toMatch(/slack.*`channelId` names another or none/);
});

test('a result that does not fit the schema is withheld, and the outcome is `OUTPUT_INVALID`', async () => {
  const sandbox = sandboxOf(new FakeEngine(echo), { manifest: { output_schema: { type: 'number' } } });
  expect(await sandbox.execute(contextOf({ inputData: 'text' }))).toMatchObject({
    outcome: 'OUTPUT_INVALID',
    result: null,
    error: { message: expect.stringContaining('`result` must be number') },
  });
});

test('an invalid schema is refused before anything is executed', async () => {
  const engine = new FakeEngine(echo);
  const sandbox = sandboxOf(engine, { manifest: { input_schema: { type: 'strange' } } });
  const { error } = await sandbox.execute(contextOf());
  expect(error).toMatchObject({
    code: 'MANIFEST_INVALID',
    message: expect.stringContaining('`input_schema` is not a JSON Schema'),
  });
  expect(engine.containers).toEqual([]);
});

test.each([
  ['the engine', { connect: () => Promise.reject(engineError('ENGINE_UNAVAILABLE')) }, 'ENGINE_UNAVAILABLE'],
  [
    'the image',
    { image: { prepare: () => Promise.reject(engineError('IMAGE_BUILD_FAILED')) } },
    'IMAGE_MISSING',
  ],
])('without %s an execution ends with a result and does not throw', async (_what, changes, outcome) => {
  const result = await sandboxOf(new FakeEngine(), changes).execute(contextOf());
  expect(result).toMatchObject({ outcome, usage: { peakMemoryBytes: null } });
});

describe('slots of calls', () => {
  test('bound how many executions run, and are held until the container is gone', async () => {
    const engine = new FakeEngine(echo);
    let most = 0;
    engine.after.createContainer = () => {
      most = Math.max(most, engine.alive.length);
    };
    engine.before.removeContainer = () => delay(5);
    const sandbox = sandboxOf(engine, { admission: admissionOf({ concurrency: 2 }) });
    await Promise.all([1, 2, 3, 4, 5].map(() => sandbox.execute(contextOf())));
    await sandbox.close();
    expect(engine.containers).toHaveLength(5);
    expect(most).toBe(2);
  });

  test.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])('with a queue of %i, one slot takes %i executions and the next is `BUSY`', async (maxQueue, taken) => {
    const caller = new AbortController();
    const admission = admissionOf({ concurrency: 1, maxQueue });
    const sandbox = sandboxOf(new FakeEngine(silent), { admission });
    const waiting: Promise<PluginExecutionResult>[] = [];
    for (let count = 0; count < taken; count++) {
      waiting.push(sandbox.execute(contextOf(), { signal: caller.signal }));
      await delay(10);
    }
    expect(await sandbox.execute(contextOf())).toMatchObject({ outcome: 'BUSY' });
    caller.abort();
    const outcomes = (await Promise.all(waiting)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(Array(taken).fill('CANCELLED'));
  });

  test('a caller that retries on `BUSY` cannot starve the work that frees a slot', async () => {
    const caller = new AbortController();
    const admission = admissionOf({ concurrency: 1, maxQueue: 0 });
    const sandbox = sandboxOf(new FakeEngine(silent), { admission });
    const running = sandbox.execute(contextOf(), { signal: caller.signal });
    await delay(10);
    let hasTurn = false;
    setImmediate(() => {
      hasTurn = true;
    });
    let tries = 0;
    for (; !hasTurn && tries < 1_000; tries++) await sandbox.execute(contextOf());
    expect(tries).toBe(1);
    caller.abort();
    await running;
  });
});

describe('the memory of all containers together', () => {
  const { memoryBytes } = GRANT;

  test('stays below its ceiling, and a call that does not fit waits', async () => {
    const engine = new FakeEngine(echo);
    let most = 0;
    engine.after.createContainer = () => {
      most = Math.max(most, engine.alive.length);
    };
    const sandbox = sandboxOf(engine, { admission: admissionOf({ memoryBytes: 2 * memoryBytes }) });
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => sandbox.execute(contextOf())));
    await sandbox.close();
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(5).fill('OK'));
    expect(most).toBe(2);
  });

  test('can be less than the grant of a plugin, which is then refused with both numbers', async () => {
    const engine = new FakeEngine(echo);
    const sandbox = sandboxOf(engine, { admission: admissionOf({ memoryBytes: memoryBytes - 1 }) });
    const megabytes = memoryBytes / (1024 * 1024);
    expect(await sandbox.execute(contextOf())).toMatchObject({
      outcome: 'HOST_RESOURCES',
      error: {
        message: expect.stringContaining(
          `granted ${megabytes} MB of memory, and all sandboxes together may have ${megabytes - 1} MB of memory`,
        ),
      },
    });
    expect(engine.calls).toEqual([]);
  });
});

test('the cores of all containers together stay below their ceiling', async () => {
  const engine = new FakeEngine(echo);
  let most = 0;
  engine.after.createContainer = () => {
    most = Math.max(most, engine.alive.length);
  };
  const sandbox = sandboxOf(engine, { admission: admissionOf({ cpuCores: 3 * GRANT.cpuCores }) });
  await Promise.all([1, 2, 3, 4, 5].map(() => sandbox.execute(contextOf())));
  await sandbox.close();
  expect(most).toBe(3);
});

describe('a caller that aborts gets `CANCELLED` at once', () => {
  const abortedAfter = async (
    ms: number,
    execute: (signal: AbortSignal) => Promise<PluginExecutionResult>,
  ) => {
    const caller = new AbortController();
    const result = execute(caller.signal);
    if (ms > 0) await delay(ms);
    caller.abort();
    return atOnce(result);
  };

  test('before the call', async () => {
    const engine = new FakeEngine(echo);
    const result = sandboxOf(engine).execute(contextOf(), { signal: AbortSignal.abort() });
    expect(await atOnce(result)).toMatchObject({ outcome: 'CANCELLED' });
    expect(engine.calls).toEqual([]);
  });

  test.each([0, 20])('while it waits for a slot, %i ms after the call', async (ms) => {
    const admission = admissionOf({ concurrency: 1 });
    const first = await admission.acquire({ plugin: 'another', memoryBytes: 0, cpuCores: 0 });
    const engine = new FakeEngine(echo);
    const sandbox = sandboxOf(engine, { admission });
    const result = await abortedAfter(ms, (signal) => sandbox.execute(contextOf(), { signal }));
    expect(result).toMatchObject({ outcome: 'CANCELLED' });
    first.release();
    await sandbox.close();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, memoryBytes: 0, cpuCores: 0 });
    expect(engine.calls).toEqual([]);
  });

  test.each([
    ['the engine is looked for', { connect: never }],
    ['the image is built', { image: { prepare: untilAborted } }],
  ])('while %s', async (_title, changes) => {
    const sandbox = sandboxOf(new FakeEngine(echo), changes);
    const result = await abortedAfter(20, (signal) => sandbox.execute(contextOf(), { signal }));
    expect(result).toMatchObject({ outcome: 'CANCELLED' });
  });
});

describe('an image that has to be built', () => {
  test('takes no slot from calls that do not need it (P10)', async () => {
    const admission = admissionOf({ concurrency: 1 });
    const built = Promise.withResolvers<string>();
    const slow = sandboxOf(new FakeEngine(echo), { admission, image: { prepare: () => built.promise } });
    const other = sandboxOf(new FakeEngine(echo), { admission });
    const waiting = slow.execute(contextOf());
    await delay(20);
    expect(admission.held).toMatchObject({ running: 0, waiting: 0 });
    expect(await atOnce(other.execute(contextOf()))).toMatchObject({ outcome: 'OK' });
    built.resolve(IMAGE);
    expect(await waiting).toMatchObject({ outcome: 'OK' });
  });

  test('is built once, and later calls only look it up', async () => {
    let builds = 0;
    const prepareImage = async () => {
      builds++;
      return IMAGE;
    };
    const sandbox = sandboxOf(new FakeEngine(echo), { image: { prepare: prepareImage } });
    for (let call = 0; call < 3; call++) await sandbox.execute(contextOf());
    expect(builds).toBe(1);
  });

  test('because it was removed is rebuilt while the call holds no slot', async () => {
    const admission = admissionOf({ concurrency: 1 });
    const running: number[] = [];
    let isThere = true;
    const prepareImage = async () => {
      running.push(admission.held.running);
      isThere = true;
      return IMAGE;
    };
    const findImage = async () => (isThere ? IMAGE : null);
    const sandbox = sandboxOf(new FakeEngine(echo), {
      admission,
      image: { prepare: prepareImage, find: findImage },
    });
    await sandbox.execute(contextOf(), { waitForRemoval: true });
    isThere = false;
    expect(await sandbox.execute(contextOf(), { waitForRemoval: true })).toMatchObject({ outcome: 'OK' });
    expect(running).toEqual([0, 0]);
  });

  test('is not built for a call that is too large for the host', async () => {
    const admission = admissionOf({ memoryBytes: GRANT.memoryBytes - 1 });
    const sandbox = sandboxOf(new FakeEngine(echo), { admission, image: { prepare: never } });
    expect(await atOnce(sandbox.execute(contextOf()))).toMatchObject({ outcome: 'HOST_RESOURCES' });
  });
});

test('a caller that waits for the removal gets the result after it, and its time does not count as execution', async () => {
  const engine = new FakeEngine(echo);
  engine.before.removeContainer = () => delay(500);
  const sandbox = sandboxOf(engine);
  const { phases, executionTimeMs } = await sandbox.execute(contextOf(), { waitForRemoval: true });
  expect(engine.alive).toEqual([]);
  expect(phases.teardownMs).toBeGreaterThanOrEqual(490);
  expect(executionTimeMs).toBeLessThan(490);
});

test('a caller that does not wait for the removal gets the result before it', async () => {
  const engine = new FakeEngine(echo);
  engine.before.removeContainer = () => delay(200);
  const sandbox = sandboxOf(engine);
  const { phases } = await sandbox.execute(contextOf());
  expect(engine.alive).toHaveLength(1);
  expect(phases.teardownMs).toBeNull();
  await sandbox.close();
  expect(engine.alive).toEqual([]);
});
