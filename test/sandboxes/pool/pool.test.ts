import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { LABELS } from '../../../src/labels.ts';
import { type Logger, SILENT_LOGGER } from '../../../src/logger.ts';
import { admissionOf } from '../../calls/admission/sample.ts';
import { engineError, FakeEngine } from '../../helpers/fake-engine.ts';
import { until } from '../../helpers/until.ts';
import { GRANT, IMAGE, specOf } from '../../spec/sample.ts';
import { KEPT, type Stage, serve, soon, stageOf } from './sample.ts';

describe('output of a container between calls', () => {
  const unfinished = (bytes: number): string => `\u001e${'x'.repeat(bytes)}`;

  test('ends a waiting container at 64 KiB, although the grant of a call is larger', async () => {
    await using stage = stageOf();
    const { pluginPool } = stage.plugin('chatty');
    expect(await stage.pool.prewarm(pluginPool, 1)).toBe(1);
    stage.engine.container.print(unfinished(70_000));
    await until('it is gone', () => stage.engine.container.isRemoved);
  });

  test.each(['stdout', 'stderr'] as const)('on %s ends an idle reused container', async (stream) => {
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('reused', {
      grant: { isolation: { mode: 'plugin', ...KEPT } },
    });
    // What its calls wrote does not count.
    for (let calls = 1; calls <= 3; calls++) {
      const context = { inputData: { bytes: 100_000 } };
      expect(await call(context)).toMatchObject({ outcome: 'OK' });
      await until('it is kept', () => pluginPool.reusedCount === 1);
    }
    expect(stage.engine.containers).toHaveLength(1);
    stage.engine.container.print(unfinished(70_000), stream);
    await until('it is gone', () => stage.engine.container.isRemoved);
    expect(await call()).toMatchObject({ outcome: 'OK', metadata: { sandbox: 'cold' } });
  });

  test('counts against the output limit of its next call', async () => {
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('loaded');
    await stage.pool.prewarm(pluginPool, 1);
    stage.engine.container.print(`${'x'.repeat(50_000)}\n`);
    await delay(10);
    const context = { inputData: { bytes: 900_000 } };
    expect(await call(context)).toMatchObject({ outcome: 'OK', metadata: { sandbox: 'warm' } });
  });
});

describe('a container is reused after', () => {
  test.each([
    ['a result', null],
    ['what `execute` threw or rejected with', { error: { code: -32001, message: 'm' } }],
  ])('%s', async (_title, inputData) => {
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('reused', {
      grant: { isolation: { mode: 'plugin', ...KEPT } },
    });
    await call({ inputData });
    await until('it is kept', () => pluginPool.reusedCount === 1);
  });
});

describe('a container is not reused after', () => {
  test.each([
    ['a plugin that could not be loaded', -32002],
    ['a plugin that has nothing left to wait for', -32003],
    ['a result that cannot be carried', -32004],
    ['an error that nobody caught', -32005],
  ])('%s', async (_title, code) => {
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('reused', {
      grant: { isolation: { mode: 'plugin', ...KEPT } },
    });
    await call({ inputData: { error: { code, message: 'm' } } });
    await until('it is gone', () => stage.engine.container.isRemoved);
    expect(pluginPool.reusedCount).toBe(0);
  });
});

test('a reused container has the CPU time of its grant, even when its first call had less', async () => {
  const grant = { isolation: { mode: 'plugin' as const, ...KEPT } };
  await using stage = stageOf();
  await stage.plugin('reused', { grant }).call({}, { timeoutMs: 1_000 });
  const { cpuTimeSeconds } = stage.engine.container.spec;
  expect(cpuTimeSeconds).toBe(specOf({ ...GRANT, ...grant }).cpuTimeSeconds);
});

describe('a logger that throws when it is asked for a child', () => {
  const faulty = (isFaulty: () => boolean): Logger => ({
    ...SILENT_LOGGER,
    child: () => {
      if (isFaulty()) throw new Error('no child');
      return SILENT_LOGGER;
    },
  });

  test('ends its call and the container that waited for it', async () => {
    let isFaulty = false;
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('logged', { logger: faulty(() => isFaulty) });
    await stage.pool.prewarm(pluginPool, 1);
    await stage.pool.prewarm(pluginPool, 0);
    isFaulty = true;
    expect(await call()).toMatchObject({ outcome: 'INTERNAL' });
    await until('the container is gone', () => stage.engine.container.isRemoved);
    expect(stage.admission.held).toMatchObject({ running: 0, memoryBytes: 0 });
  });

  test('leaves no start counted as under way', async () => {
    let isFaulty = true;
    await using stage = stageOf({ startsAtOnce: 1 });
    const { pluginPool, call } = stage.plugin('logged', { logger: faulty(() => isFaulty) });
    expect(await call()).toMatchObject({ outcome: 'INTERNAL' });
    expect(await stage.pool.prewarm(pluginPool, 1)).toBe(0);
    isFaulty = false;
    expect(await stage.pool.prewarm(pluginPool, 1)).toBe(1);
  });
});

test('calls that wait for their session are counted, and stop counting when they are cancelled', async () => {
  await using stage = stageOf({ admission: admissionOf({ maxQueue: 1 }) });
  const { call } = stage.plugin('reused', { grant: { isolation: { mode: 'session', ...KEPT } } });
  const [first, second] = [new AbortController(), new AbortController()];
  const context = { sessionId: 's', inputData: 'silence' };
  const running = call(context, { signal: first.signal });
  await until('it runs', () => stage.engine.containers.length === 1);
  const waiting = call(context, { signal: second.signal });
  await until('it waits', () => stage.admission.held.waiting === 1);
  expect(await call(context)).toMatchObject({ outcome: 'BUSY' });
  second.abort();
  expect(await waiting).toMatchObject({ outcome: 'CANCELLED' });
  const next = call({ sessionId: 's' });
  first.abort();
  expect(await running).toMatchObject({ outcome: 'CANCELLED' });
  expect(await next).toMatchObject({ outcome: 'OK' });
});

test('prewarming takes no memory from calls while its image is built', async () => {
  const image = Promise.withResolvers<string>();
  await using stage = stageOf({ admission: admissionOf({ memoryBytes: GRANT.memoryBytes }) });
  const slow = stage.plugin('slow', { image: { prepare: () => image.promise } });
  const other = stage.plugin('other');
  const hinted = stage.pool.prewarm(slow.pluginPool, 1);
  await until('it is being started', () => slow.pluginPool.isStarting);
  expect(await soon(other.call())).toMatchObject({ outcome: 'OK' });
  await until('its memory is free', () => stage.admission.held.memoryBytes === 0);
  image.resolve(IMAGE);
  expect(await hinted).toBe(1);
});

test('prewarming one plugin does not wait for the image of another (P10)', async () => {
  const image = Promise.withResolvers<string>();
  await using stage = stageOf();
  const slow = ['slow', 'slower'].map((name) =>
    stage.plugin(name, { image: { prepare: () => image.promise } }),
  );
  const hints = slow.map(({ pluginPool }) => stage.pool.prewarm(pluginPool, 1));
  await until('they are being started', () => slow.every(({ pluginPool }) => pluginPool.isStarting));
  expect(await soon(stage.pool.prewarm(stage.plugin('other').pluginPool, 2))).toBe(2);
  image.resolve(IMAGE);
  expect(await Promise.all(hints)).toEqual([1, 1]);
});

describe('prewarming returns at once', () => {
  test('when running calls hold the memory', async () => {
    const admission = admissionOf({ memoryBytes: 2 * GRANT.memoryBytes });
    await using stage = stageOf({ admission });
    const { pluginPool, call } = stage.plugin('busy');
    const caller = new AbortController();
    const running = call({ inputData: 'silence' }, { signal: caller.signal });
    await until('it runs', () => admission.held.running === 1);
    expect(await soon(stage.pool.prewarm(pluginPool, 2))).toBe(1);
    caller.abort();
    await running;
  });

  test('but not while idle containers are giving back memory', async () => {
    const admission = admissionOf({ memoryBytes: GRANT.memoryBytes });
    await using stage = stageOf({ admission, maxWarm: 1 });
    const [before, after] = [stage.plugin('before'), stage.plugin('after')];
    stage.engine.before.removeContainer = () => delay(100);
    await stage.pool.prewarm(before.pluginPool, 1);
    await stage.pool.prewarm(before.pluginPool, 0);
    expect(await soon(stage.pool.prewarm(after.pluginPool, 1))).toBe(1);
  });
});

test('a plugin that never finishes loading does not block the prewarming of others', async () => {
  const engine = new FakeEngine((container) => {
    if (container.spec.labels[LABELS.plugin] === 'stuck') container.ready();
    else serve(container);
  });
  await using stage = stageOf({ engine, startsAtOnce: 1 });
  const { pluginPool: stuck } = stage.plugin('stuck');
  const { pluginPool: other } = stage.plugin('other');
  const hinted = stage.pool.prewarm(stuck, 2);
  await until('all are loading', () => engine.containers.length === 2);
  expect(await soon(stage.pool.prewarm(other, 2))).toBe(2);
  expect([stuck.size, stuck.readyCount, engine.containers.length]).toEqual([2, 0, 4]);
  void stage.pool.close();
  expect(await soon(hinted)).toBe(0);
});

test('the wanted number of waiting containers is computed at most ten times a second', async () => {
  await using stage = stageOf({ maxWarm: 1 });
  const looks = vi.spyOn(stage.admission, 'retryNext');
  const plugins = Array.from({ length: 150 }, (_, n) => stage.plugin(`p${n}`, { warm: 'adaptive' }));
  const start = performance.now();
  for (let round = 0; round < 15; round++) {
    for (const { pluginPool } of plugins) pluginPool.arrived(null);
    await delay(40);
  }
  const ticks = (performance.now() - start) / 100;
  expect(looks.mock.calls.length).toBeLessThanOrEqual(ticks * 1.1 + 2);
});

test('a waiting container that was restarted by hand is removed and replaced', async () => {
  await using stage = stageOf();
  const { engine, pool } = stage;
  const { pluginPool } = stage.plugin('restarted');
  await pool.prewarm(pluginPool, 1);
  // It runs again, and nobody is connected to it.
  engine.before.waitContainer = async () => {
    await delay(engine.waits.at(-1), undefined, { ref: false });
    throw engineError('ENGINE_TIMEOUT');
  };
  engine.container.endStream();
  await until('it is gone', () => engine.container.isRemoved);
  await until('another one waits', () => pluginPool.readyCount === 1, 10_000);
  expect(engine.alive).toHaveLength(1);
});

describe('more containers than the memory of the host holds, which is learned late,', () => {
  const misfit = /2 containers are asked for with 1024 MB of memory, and all that wait may have 512 MB /;
  const memoryBytes = GRANT.memoryBytes;
  const learn = ({ admission, pool }: Stage): void => {
    admission.setCeilings({ memoryBytes, cpuCores: Number.POSITIVE_INFINITY });
    pool.learnCeilings();
  };

  test('cannot be prewarmed', async () => {
    await using stage = stageOf();
    const { pluginPool } = stage.plugin('large');
    learn(stage);
    await expect(stage.pool.prewarm(pluginPool, 2)).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(misfit),
    });
    expect(await stage.pool.prewarm(pluginPool, 1)).toBe(1);
  });

  test('are refused in a policy that is read afterwards', async () => {
    await using stage = stageOf();
    learn(stage);
    expect(() => stage.plugin('large', { warm: 2 })).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        problems: [{ path: 'plugins.large.warm', message: expect.stringMatching(misfit) }],
      }),
    );
  });

  test('are warned about when a policy asked for them before', async () => {
    const warnings: unknown[] = [];
    const logger = { ...SILENT_LOGGER, warn: (facts: object) => void warnings.push(facts) };
    await using stage = stageOf({ logger });
    const { pluginPool } = stage.plugin('large', { warm: 2 });
    learn(stage);
    expect(warnings).toEqual([{ askedMb: 1024, mostMb: 512 }]);
    await until('one waits', () => pluginPool.readyCount === 1);
    expect(stage.engine.containers).toHaveLength(1);
  });
});

describe('a container that is prewarmed for a plugin that never loads', () => {
  const stuckOf = (memoryBytes: number): Stage => {
    const engine = new FakeEngine((container) => {
      if (container.spec.labels[LABELS.plugin] === 'stuck') container.ready();
      else serve(container);
    });
    return stageOf({ engine, admission: admissionOf({ memoryBytes }) });
  };
  const tryLoading = async ({ engine, plugin }: Stage) => {
    const loading = plugin('stuck').pluginPool.tryLoading();
    await until('it loads', () => engine.containers[0]?.received.length === 1);
    return { loading };
  };

  test('gives way to a call that needs its memory', async () => {
    await using stage = stuckOf(GRANT.memoryBytes);
    const { loading } = await tryLoading(stage);
    expect(await soon(stage.plugin('other').call())).toMatchObject({ outcome: 'OK' });
    expect(await loading).toBe(null);
  });

  test('is not waited for when a waiting container gives way', async () => {
    await using stage = stuckOf(2 * GRANT.memoryBytes);
    const { loading } = await tryLoading(stage);
    const waiting = stage.plugin('waiting');
    expect(await stage.pool.prewarm(waiting.pluginPool, 1)).toBe(1);
    expect(await soon(stage.plugin('other').call())).toMatchObject({ outcome: 'OK' });
    expect(stage.engine.container.isRemoved).toBe(false);
    void stage.pool.close();
    expect(await soon(loading)).toBe(null);
  });

  test('is ended by closing', async () => {
    const stage = stuckOf(GRANT.memoryBytes);
    const { loading } = await tryLoading(stage);
    await soon(stage.pool.close());
    expect(await loading).toBe(null);
    expect(stage.engine.alive).toEqual([]);
  });
});

describe('closing waits for a prewarming', () => {
  test('that still looks for the engine, and lets it start nothing after that', async () => {
    const engine = Promise.withResolvers<FakeEngine>();
    const stage = stageOf();
    let images = 0;
    const prepareImage = async (): Promise<string> => {
      images++;
      return IMAGE;
    };
    const { pluginPool } = stage.plugin('early', {
      connect: () => engine.promise,
      image: { prepare: prepareImage },
    });
    void stage.pool.prewarm(pluginPool, 1);
    await until('it is being started', () => pluginPool.isStarting);
    let isClosed = false;
    const closed = stage.pool.close().then(() => {
      isClosed = true;
    });
    await delay(20);
    expect(isClosed).toBe(false);
    engine.resolve(stage.engine);
    await closed;
    expect(images).toBe(0);
    expect(stage.engine.calls).toEqual([]);
  });

  test('whose image is being built, and aborts the build', async () => {
    const stage = stageOf();
    let isOver = false;
    const prepareImage = async (signal?: AbortSignal): Promise<string> => {
      await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
      await delay(20);
      isOver = true;
      throw new Error('aborted');
    };
    const { pluginPool } = stage.plugin('early', { image: { prepare: prepareImage } });
    void stage.pool.prewarm(pluginPool, 1);
    await until('it is being started', () => pluginPool.isStarting);
    await soon(stage.pool.close());
    expect(isOver).toBe(true);
    expect(stage.engine.calls).toEqual([]);
  });
});

describe('of too many reused containers the least recently used one is ended', () => {
  const grant = { isolation: { mode: 'session' as const, ...KEPT } };

  test('among those of one plugin', async () => {
    await using stage = stageOf({ maxReusedPerPlugin: 2 });
    const { pluginPool, call } = stage.plugin('reused', { grant });
    for (const sessionId of ['a', 'b', 'a', 'c']) await call({ sessionId }, { waitForRemoval: true });
    await until('one is gone', () => stage.engine.alive.length === 2);
    expect(pluginPool.reusedCount).toBe(2);
    expect(await call({ sessionId: 'a' })).toMatchObject({ result: 3, metadata: { sandbox: 'reused' } });
    expect(await call({ sessionId: 'b' })).toMatchObject({ result: 1, metadata: { sandbox: 'cold' } });
  });

  test('among those of all plugins', async () => {
    await using stage = stageOf({ maxReused: 2 });
    const [one, other] = [stage.plugin('one', { grant }), stage.plugin('other', { grant })];
    for (const { call } of [one, other, other]) await call({ sessionId: 'a' }, { waitForRemoval: true });
    await other.call({ sessionId: 'b' }, { waitForRemoval: true });
    await until('one is gone', () => stage.engine.alive.length === 2);
    expect([one.pluginPool.reusedCount, other.pluginPool.reusedCount]).toEqual([0, 2]);
  });

  test('but not one of a plugin that has few when another plugin has many', async () => {
    await using stage = stageOf({ maxReused: 3 });
    const [one, other] = [stage.plugin('one', { grant }), stage.plugin('other', { grant })];
    await one.call({ sessionId: 'a' }, { waitForRemoval: true });
    for (const sessionId of ['a', 'b', 'c', 'd', 'e'])
      await other.call({ sessionId }, { waitForRemoval: true });
    await until('the others are gone', () => stage.engine.alive.length === 3);
    expect([one.pluginPool.reusedCount, other.pluginPool.reusedCount]).toEqual([1, 2]);
    expect(await one.call({ sessionId: 'a' })).toMatchObject({ result: 2, metadata: { sandbox: 'reused' } });
  });
});

test.each(['waits', 'is kept'])(
  'an idle container that %s is ended when its plugin computes',
  async (state) => {
    await using stage = stageOf();
    const { pluginPool, call } = stage.plugin('busy', { grant: { isolation: { mode: 'plugin', ...KEPT } } });
    await (state === 'waits' ? stage.pool.prewarm(pluginPool, 1) : call({}, { waitForRemoval: true }));
    const { engine } = stage;
    await pluginPool.dropBusy();
    await delay(50);
    await pluginPool.dropBusy();
    expect(engine.alive).toHaveLength(1);
    engine.usage = { ...engine.usage, cpuTimeMs: 10_000 };
    await pluginPool.dropBusy();
    await until('it is gone', () => engine.container.isRemoved);
  },
);
