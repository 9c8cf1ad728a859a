import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { parseContext } from '../../../src/calls/context.ts';
import type { Ending } from '../../../src/calls/ending.ts';
import { OUTCOMES } from '../../../src/calls/outcome.ts';
import type { LurkboxErrorCode } from '../../../src/errors.ts';
import { SILENT_LOGGER } from '../../../src/logger.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import { frameRecord } from '../../../src/protocol/framing.ts';
import { toOutputEnd } from '../../../src/protocol/messages.ts';
import { createIdentity } from '../../../src/sandboxes/cleanup/identity.ts';
import { Reaper } from '../../../src/sandboxes/cleanup/reaper.ts';
import type { ContainerPlan } from '../../../src/sandboxes/container/container-plan.ts';
import type { Execution, ExecutionPlan } from '../../../src/sandboxes/container/execution.ts';
import { admissionOf } from '../../calls/admission/sample.ts';
import { blockFor } from '../../helpers/block-for.ts';
import {
  type EngineCall,
  EXECUTION_CALLS,
  engineError,
  type FakeContainer,
  FakeEngine,
  lateBy,
  toFrame,
} from '../../helpers/fake-engine.ts';
import { History } from '../../helpers/history.ts';
import { countResources, findLeakedResources } from '../../helpers/host-watch.ts';
import { splitAt } from '../../helpers/split.ts';
import { until } from '../../helpers/until.ts';
import { executionOf, sandboxOf } from './sample.ts';

/** What a container, its stream and its caller can do, in whatever order. */
const EVENTS = {
  result: ({ container }: Stage) => container.answer('the result'),
  error: ({ container }: Stage) => container.say({ id: 1, error: { code: -32001, message: 'no' } }),
  ready: ({ container }: Stage) => container.ready(),
  line: ({ container }: Stage) => container.print('a line\n'),
  garbage: ({ container }: Stage) => container.print('\u001e{\n'),
  halfFrame: ({ container }: Stage) => container.send(toFrame('stdout', Buffer.alloc(100)).subarray(0, 50)),
  noFrame: ({ container }: Stage) => container.send(Buffer.from('HTTP/1.1 500 no\r\n')),
  exit: ({ container }: Stage) => container.exit({ exitCode: 0 }),
  crash: ({ container }: Stage) => container.exit({ exitCode: 1 }),
  endOfStream: ({ container }: Stage) => container.endStream(),
  broken: ({ container }: Stage) => container.lose(),
  abort: ({ caller }: Stage) => caller.abort(),
  removedByHand: ({ container }: Stage) => container.remove(),
} as const;

interface Stage {
  readonly container: FakeContainer;
  readonly caller: AbortController;
}

type Event = keyof typeof EVENTS;

/** One thing that goes wrong with one call to the engine. `late` does its work after the caller was told that it failed. */
interface EngineFault {
  readonly call: EngineCall;
  readonly time: number;
  readonly kind: 'refused' | 'answer lost' | 'slow' | 'slow answer' | 'late';
  readonly code: LurkboxErrorCode;
  readonly waitMs: number;
}

interface Schedule {
  readonly events: readonly { readonly event: Event; readonly afterMs: number | null }[];
  readonly faults: readonly EngineFault[];
  readonly abortAtMs: number | null;
  readonly beforeReady: boolean;
  readonly network: 'none' | 'bridge';
}

const pause = fc.constantFrom(null, 0, 1, 3, 12);
const schedule: fc.Arbitrary<Schedule> = fc.record({
  events: fc.array(
    fc.record({ event: fc.constantFrom(...(Object.keys(EVENTS) as Event[])), afterMs: pause }),
    { maxLength: 7 },
  ),
  faults: fc.array(
    fc.record({
      call: fc.constantFrom(...EXECUTION_CALLS),
      time: fc.constantFrom(1, 1, 2),
      kind: fc.constantFrom('refused', 'answer lost', 'slow', 'slow answer', 'late'),
      code: fc.constantFrom<LurkboxErrorCode>(
        'ENGINE_TIMEOUT',
        'ENGINE_LOST',
        'ENGINE_UNAVAILABLE',
        'ENGINE_ERROR',
        'CONTAINER_VANISHED',
        'HOST_RESOURCES',
      ),
      waitMs: fc.constantFrom(0, 2, 20),
    }),
    { maxLength: 3 },
  ),
  abortAtMs: fc.option(fc.integer({ min: 0, max: 30 })),
  beforeReady: fc.boolean(),
  network: fc.constantFrom('none', 'bridge'),
});

const TIMEOUT_MS = 25;
const AT_ONCE = 25;

describe('in any order of exit, end of stream, deadline, abort and faults of the engine', () => {
  test('an execution ends exactly once and leaves no container, timer or listener (P1, P2, P9)', {
    timeout: 180_000,
  }, async () => {
    // Side by side, because a removal that has to be repeated pauses in between.
    const batch = fc.array(schedule, { minLength: AT_ONCE, maxLength: AT_ONCE });
    const property = fc.asyncProperty(batch, async (schedules) => {
      const before = countResources();
      await Promise.all(schedules.map(liveOrTell));
      expect(await findLeakedResources(before)).toEqual([]);
    });
    await fc.assert(property, { numRuns: 12, endOnFailure: true });
  });
});

/** When a complete result is written, in which pieces it arrives, and what else happens around it. */
interface Delivery {
  readonly letters: number;
  readonly cuts: readonly number[];
  readonly pieceAfterMs: readonly (number | null)[];
  readonly afterwards: readonly { readonly event: Event; readonly afterMs: number | null }[];
  readonly slow: readonly {
    readonly call: EngineCall;
    readonly when: 'before' | 'after';
    readonly ms: number;
  }[];
  readonly blockMs: number;
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  letters: fc.constantFrom(0, 1, 100, 40_000, 300_000),
  cuts: fc.array(fc.nat({ max: 300_000 }), { maxLength: 6 }),
  pieceAfterMs: fc.array(fc.constantFrom(null, 0, 2), { minLength: 7, maxLength: 7 }),
  // Whatever ends a container after it has written all; a connection that breaks may take what is on its way along.
  afterwards: fc.array(
    fc.record({
      event: fc.constantFrom<Event>(
        'exit',
        'crash',
        'endOfStream',
        'removedByHand',
        'garbage',
        'error',
        'halfFrame',
      ),
      afterMs: pause,
    }),
    { maxLength: 4 },
  ),
  slow: fc.array(
    fc.record({
      call: fc.constantFrom(...EXECUTION_CALLS),
      when: fc.constantFrom('before', 'after'),
      ms: fc.constantFrom(0, 5, 30),
    }),
    { maxLength: 4 },
  ),
  blockMs: fc.constantFrom(0, 0, 0, 10, 120),
});

/** Long enough for every piece to be written before it, short enough that many a block lasts until after it. */
const WRITTEN_BY_MS = 100;

test('a complete result written before the deadline is never lost (P3)', {
  timeout: 120_000,
}, async () => {
  const property = fc.asyncProperty(delivery, async (plan) => {
    const result = 'x'.repeat(plan.letters);
    let writtenAtMs = Number.NaN;
    const engine = new FakeEngine(async (container) => {
      container.ready();
      await container.executed;
      const startedAt = performance.now();
      container.print(`\n${frameRecord(toOutputEnd(1))}`, 'stderr');
      const bytes = frames(frameRecord(JSON.stringify({ jsonrpc: '2.0', id: 1, result })));
      for (const [index, piece] of splitAt(bytes, plan.cuts).entries()) {
        const afterMs = plan.pieceAfterMs[index] ?? null;
        if (afterMs !== null) await delay(afterMs);
        container.send(piece);
      }
      writtenAtMs = performance.now() - startedAt;
      blockFor(plan.blockMs);
      for (const { event, afterMs } of plan.afterwards) {
        if (afterMs !== null) await delay(afterMs);
        EVENTS[event]({ container, caller: new AbortController() });
      }
    });
    for (const { call, when, ms } of plan.slow) engine[when][call] = () => delay(ms);
    const execution = execute(engine, {
      signal: undefined,
      network: 'bridge',
      timeoutMs: WRITTEN_BY_MS,
      onSuspicion: () => {},
    });
    const ending = await within(execution.ending, 5_000, 'the ending');
    await within(execution.removed, 5_000, 'the removal');
    // On a busy machine it can be written too late, which is no loss.
    if (writtenAtMs < WRITTEN_BY_MS) expect(ending).toEqual({ outcome: 'OK', result });
    else expect(ending.outcome).toMatch(/^(OK|TIMEOUT)$/);
  });
  // They mostly wait, so several go on at once; where one holds up the host, it does so for all.
  await Promise.all(
    Array.from({ length: 5 }, () => fc.assert(property, { numRuns: 30, endOnFailure: true })),
  );
});

describe('a stream that breaks', () => {
  test.each<[string, (container: FakeContainer) => void]>([
    ['with an error', (container) => container.lose()],
    ['in a frame', (container) => EVENTS.halfFrame({ container, caller: new AbortController() })],
    ['into something that is no frame', (container) => container.send(Buffer.from('HTTP/1.1 502 no\r\n'))],
  ])('%s while the plugin runs on is not waited for until the deadline (P1, P2)', async (_title, breakIt) => {
    const engine = new FakeEngine(async (container) => {
      container.ready();
      await container.executed;
      breakIt(container);
      container.endStream();
    });
    engine.before.waitContainer = () => {
      throw engineError('ENGINE_TIMEOUT');
    };
    let suspected = false;
    const execution = execute(engine, {
      signal: undefined,
      network: 'none',
      timeoutMs: 30_000,
      onSuspicion: () => {
        suspected = true;
      },
    });
    expect(await within(execution.ending, 4_000, 'the ending')).toMatchObject({
      outcome: 'ENGINE_LOST',
      error: { message: expect.stringContaining('The connection to the container broke') },
    });
    expect(engine.waits).toEqual([5_000]);
    await execution.removed;
    // An engine that comes back may have forgotten the removal.
    expect(suspected).toBe(true);
  });
});

describe('a container that ends after its stream broke', () => {
  test.each([
    ['and little was written to it, was lost', false, 'ENGINE_LOST'],
    ['and much was written to it, may have left that unread', true, 'NO_RESULT'],
  ])('%s', async (_title, mayBreak, outcome) => {
    const engine = new FakeEngine(async (container) => {
      container.ready();
      await container.executed;
      container.mayBreak = mayBreak;
      container.lose();
      container.exit({ exitCode: 0 });
    });
    const execution = execute(engine, {
      signal: undefined,
      network: 'none',
      timeoutMs: 30_000,
      onSuspicion: () => {},
    });
    expect(await within(execution.ending, 4_000, 'the ending')).toMatchObject({ outcome });
    await execution.removed;
  });
});

describe('a host that stands still', () => {
  test('until after the deadline loses no result that is on its way (P3)', async () => {
    const engine = new FakeEngine(async (container) => {
      container.ready();
      await container.executed;
    });
    engine.before.removeContainer = () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      // In this order the loop comes to its timers first, and only then to the data that waits in the kernel.
      setImmediate(() => {
        blockFor(2_000);
        setImmediate(() => {
          engine.container.answer('in time');
          resolve();
        });
      });
      return promise;
    };
    const execution = execute(engine, { signal: undefined, network: 'none', onSuspicion: () => {} });
    await expect(execution.ending).resolves.toEqual({ outcome: 'OK', result: 'in time' });
    await execution.removed;
  });

  test.each<[string, keyof typeof BLOCKED]>([
    ['while the container is created', 'createContainer'],
    ['while it starts', 'startContainer'],
    ['while the exit is waited for', 'waitContainer'],
    ['while it is removed', 'removeContainer'],
  ])('%s settles the execution late, but once (P1)', async (_title, call) => {
    const engine = new FakeEngine(BLOCKED[call]);
    engine.before[call] = () => blockFor(600);
    engine.after[call] = () => blockFor(600);
    const history = new History();
    const sandbox = sandboxOf(engine);
    const result = await history.record(call, () =>
      sandbox.execute(parseContext({}), { waitForRemoval: true, timeoutMs: 100 }),
    );
    history.check();
    expect(result?.outcome).toMatch(/^(OK|NO_RESULT|TIMEOUT)$/);
    expect(engine.alive).toEqual([]);
  });
});

/** What runs in a container whose host stands still at that call. */
const BLOCKED = {
  createContainer: answer,
  startContainer: answer,
  waitContainer: (container: FakeContainer) => container.exit({ exitCode: 0 }),
  removeContainer: answer,
} as const;

async function answer(container: FakeContainer): Promise<void> {
  container.ready();
  await Promise.race([container.executed, container.ended]);
  container.answer('the result');
}

describe('a wall clock that jumps', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([
    ['back by hours', -5 * 3_600_000],
    ['forward by hours', 5 * 3_600_000],
    ['to the beginning of time', -Date.now()],
  ])('%s changes no deadline and no measurement', async (_title, byMs) => {
    const now = Date.now;
    let offset = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + offset);
    const jump = (): void => {
      offset += byMs;
    };
    const answers = sandboxOf(
      new FakeEngine(async (container) => {
        container.ready();
        await container.executed;
        jump();
        await delay(60);
        container.answer('the result');
      }),
    );
    const silent = sandboxOf(
      new FakeEngine(async (container) => {
        container.ready();
        await container.executed;
        jump();
      }),
    );
    const [ok, late] = await Promise.all([
      answers.execute(parseContext({}), { waitForRemoval: true }),
      silent.execute(parseContext({}), { waitForRemoval: true, timeoutMs: 200 }),
    ]);
    expect(ok).toMatchObject({ outcome: 'OK', result: 'the result' });
    expect(late.outcome).toBe('TIMEOUT');
    for (const { phases, executionTimeMs } of [ok, late]) {
      for (const ms of [...Object.values(phases), executionTimeMs]) {
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThan(30_000);
      }
    }
    expect(ok.phases.runMs).toBeGreaterThanOrEqual(59);
    expect(late.phases.runMs).toBeGreaterThanOrEqual(199);
  });
});

describe('many executions of one sandbox under faults', () => {
  const AT_ONCE_HERE = 60;

  test('each settle exactly once and report everything that they leave (P1, P2, P9)', {
    timeout: 120_000,
  }, async () => {
    const schedules = fc.array(schedule, { minLength: AT_ONCE_HERE, maxLength: AT_ONCE_HERE });
    await fc.assert(fc.asyncProperty(schedules, live), { numRuns: 3, endOnFailure: true });
  });

  async function live(schedules: readonly Schedule[]): Promise<void> {
    const before = countResources();
    const callers = schedules.map(() => new AbortController());
    const engine = new FakeEngine(async (container) => {
      container.ready();
      await Promise.race([container.executed, container.ended]);
      const index = indexOf(container);
      const caller = callers[index];
      const plan = schedules[index];
      if (caller !== undefined && plan !== undefined) await performEvents(plan.events, { container, caller });
    });
    for (const [index, { faults }] of schedules.entries()) {
      for (const fault of faults) inject(engine, { ...fault, time: index + 1 });
    }
    const reaper = new Reaper(createIdentity(), SILENT_LOGGER);
    const suspect = vi.spyOn(reaper, 'suspect');
    const sandbox = sandboxOf(engine, {
      admission: admissionOf({ concurrency: 8, maxQueue: AT_ONCE_HERE / 2 }),
      reaper,
    });
    const history = new History();
    const calls = callers.map(({ signal }, index) =>
      history.record(`call ${index}`, () =>
        sandbox.execute(parseContext({ inputData: index }), { signal, timeoutMs: TIMEOUT_MS }),
      ),
    );
    // Not before each call has been let in or refused: one that left earlier is neither.
    await until(
      'the surplus is refused',
      () => history.count()['BUSY'] === AT_ONCE_HERE - 8 - AT_ONCE_HERE / 2,
    );
    const timers = schedules.map(({ abortAtMs }, index) =>
      abortAtMs === null ? undefined : setTimeout(() => callers[index]?.abort(), abortAtMs * 10),
    );
    await Promise.all(calls);
    await sandbox.close();
    for (const timer of timers) clearTimeout(timer);
    history.check();
    for (const { spec } of engine.containers) {
      const starts = engine.started.filter((name) => name === spec.name);
      expect(starts.length).toBeLessThanOrEqual(1);
    }
    if (suspect.mock.calls.length === 0) expect(engine.alive.map(({ id }) => id)).toEqual([]);
    await reaper.close();
    for (const { signal } of callers) expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(await findLeakedResources(before)).toEqual([]);
  }

  /** Which call it is that a container serves: its input. */
  function indexOf({ received }: FakeContainer): number {
    const [request] = received as { params?: { context: { inputData: number } } }[];
    return request?.params?.context.inputData ?? -1;
  }
});

async function liveOrTell(plan: Schedule): Promise<void> {
  await live(plan).catch((cause: unknown) => {
    throw new Error(`${String(cause)}, with ${JSON.stringify(plan)}`, { cause });
  });
}

async function live(plan: Schedule): Promise<void> {
  const caller = new AbortController();
  const engine = new FakeEngine((container) => perform(plan, { container, caller }));
  for (const fault of plan.faults) inject(engine, fault);
  const abort = plan.abortAtMs === null ? undefined : setTimeout(() => caller.abort(), plan.abortAtMs);
  let suspected = false;
  const execution = execute(engine, {
    signal: caller.signal,
    network: plan.network,
    onSuspicion: () => {
      suspected = true;
    },
  });

  const ending = await within(execution.ending, 4_000, 'the ending');
  const written = JSON.stringify(ending);
  await within(execution.removed, 40_000, 'the removal');
  clearTimeout(abort);

  expect(Object.keys(OUTCOMES)).toContain(ending.outcome);
  expect(JSON.stringify(await execution.ending)).toBe(written);
  judge(plan, ending, caller.signal);
  // What may still come is for the reaper, which is told of it.
  await delay(50);
  if (!suspected) {
    expect(engine.alive.map(({ id }) => id)).toEqual([]);
    expect([...engine.networks.keys()]).toEqual([]);
  }
  expect(engine.mostRemovalsAtOnce).toBeLessThanOrEqual(1);
  expect(engine.timesOf('startContainer')).toBeLessThanOrEqual(1);
  expect(engine.timesOf('createContainer')).toBeLessThanOrEqual(1);
  expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  for (const { streams } of engine.containers.filter(({ isStarted }) => isStarted)) {
    expect(streams.isOpen).toBe(false);
  }
}

/** P3: a result is never invented; P1: neither is another ending. */
function judge({ events, faults }: Schedule, ending: Ending, signal: AbortSignal): void {
  const happened = new Set<string>(events.map(({ event }) => event));
  if (ending.outcome === 'OK') {
    expect(happened).toContain('result');
    expect(ending.result).toBe('the result');
  }
  if (ending.outcome === 'PLUGIN_ERROR') expect(happened).toContain('error');
  if (ending.outcome === 'CANCELLED') expect(signal.aborted).toBe(true);
  if (ending.outcome === 'PLUGIN_CRASHED') expect([...happened].join()).toMatch(/crash|removedByHand/);
  if (ending.outcome.startsWith('ENGINE_')) {
    expect(
      faults.length + Number(happened.has('broken') || happened.has('halfFrame') || happened.has('noFrame')),
    ).toBeGreaterThan(0);
  }
}

async function perform({ events, beforeReady }: Schedule, stage: Stage): Promise<void> {
  if (!beforeReady) {
    stage.container.ready();
    await Promise.race([stage.container.executed, stage.container.ended]);
  }
  await performEvents(events, stage);
  // A Node that never comes up is given half a minute, which no test waits for.
  if (beforeReady) stage.container.exit({ exitCode: 0 });
}

async function performEvents(events: Schedule['events'], stage: Stage): Promise<void> {
  for (const { event, afterMs } of events) {
    if (afterMs !== null) await delay(afterMs);
    EVENTS[event](stage);
  }
}

function inject(engine: FakeEngine, { call, time, kind, code, waitMs }: EngineFault): void {
  const when = kind === 'answer lost' || kind === 'slow answer' ? 'after' : 'before';
  const fails = kind === 'refused' || kind === 'answer lost' || kind === 'late';
  const previous = engine[when][call];
  engine[when][call] = async (now) => {
    await previous?.(now);
    if (now !== time) return;
    await delay(waitMs);
    if (fails) throw kind === 'late' ? lateBy(waitMs) : engineError(code);
  };
}

function execute(
  engine: FakeEngine,
  {
    signal,
    onSuspicion,
    network,
    timeoutMs = TIMEOUT_MS,
  }: Pick<ExecutionPlan, 'signal'> &
    Pick<ContainerPlan, 'onSuspicion'> &
    Pick<Grant, 'network'> & { readonly timeoutMs?: number },
): Execution {
  return executionOf(engine, { grant: { network, timeoutMs }, signal, onSuspicion });
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const timer = new AbortController();
  const late = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not come within ${ms} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

/** As the engine writes it: at most 32 KiB to a frame. */
function frames(text: string): Buffer {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32_768)
    pieces.push(toFrame('stdout', bytes.subarray(at, at + 32_768)));
  return Buffer.concat(pieces);
}
