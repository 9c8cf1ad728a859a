import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MemoryReservation, RefusedError, type Slot } from '../../../src/calls/admission/admission.ts';
import { admissionOf } from './sample.ts';

const NOTHING = { memoryBytes: 0, cpuCores: 0 };
const small = { plugin: 'small', memoryBytes: 10, cpuCores: 0.1 };

/** Lets everything that was resolved arrive. */
const arrive = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('calls of several plugins take turns', () => {
  test('so that a thousand calls of one plugin delay the first call of another by one turn', async () => {
    const admission = admissionOf({ concurrency: 1, maxQueue: 2_000 });
    const order: string[] = [];
    const call = async (plugin: string): Promise<void> => {
      using _place = await admission.acquire({ plugin, ...NOTHING });
      order.push(plugin);
      await arrive();
    };
    const calls = Array.from({ length: 1_000 }, () => call('busy'));
    await Promise.all([call('quiet'), ...calls]);
    expect(order.indexOf('quiet')).toBeLessThanOrEqual(2);
    expect(order).toHaveLength(1_001);
  });

  test('and those of one plugin are served in order of arrival', async () => {
    const admission = admissionOf({ concurrency: 1 });
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3].map(async (index) => {
        using _place = await admission.acquire(small);
        order.push(index);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3]);
  });
});

test('a steady flow of small calls does not keep a large call out for ever', async () => {
  const admission = admissionOf({ memoryBytes: 100, maxQueue: 1_000 });
  const first = await admission.acquire({ ...small, memoryBytes: 50 });
  let isIn = false;
  const large = admission.acquire({ plugin: 'large', memoryBytes: 100, cpuCores: 0 }).then((slot) => {
    isIn = true;
    return slot;
  });
  const later = [1, 2, 3].map(() => admission.acquire(small));
  await arrive();
  expect(admission.held).toMatchObject({ running: 1, waiting: 4 });
  first.release();
  await arrive();
  expect(isIn).toBe(true);
  (await large).release();
  for (const slot of await Promise.all(later)) slot.release();
  expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
});

test('a call that is aborted leaves the queue at once, and the calls behind it move up', async () => {
  const admission = admissionOf({ concurrency: 1, maxQueue: 1 });
  const slot = await admission.acquire(small);
  const caller = new AbortController();
  const left = admission.acquire({ ...small, signal: caller.signal });
  await expect(admission.acquire(small)).rejects.toMatchObject({ refusal: { kind: 'full', waiting: 1 } });
  caller.abort(new Error('changed its mind'));
  await expect(left).rejects.toThrow('changed its mind');
  const next = admission.acquire(small);
  slot.release();
  (await next).release();
  expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
});

test('a slot that is released twice is given out once', async () => {
  const admission = admissionOf({ concurrency: 2 });
  const [first, second] = [await admission.acquire(small), await admission.acquire(small)];
  first.release();
  first.release();
  expect(admission.held.running).toBe(1);
  second.release();
  expect(admission.held).toMatchObject({ running: 0, ...NOTHING });
});

test('lowered ceilings refuse the waiting calls that exceed them, with both numbers', async () => {
  const admission = admissionOf({ concurrency: 1 });
  using _place = await admission.acquire(small);
  const waiting = admission.acquire({ plugin: 'large', memoryBytes: 100, cpuCores: 0 });
  admission.setCeilings({ memoryBytes: 50, cpuCores: 1 });
  const refusal = { kind: 'too large', what: 'memory', asked: 100, ceiling: 50 };
  await expect(waiting).rejects.toMatchObject({ refusal });
  await expect(waiting).rejects.toBeInstanceOf(RefusedError);
});

describe('the calls of one session', () => {
  const call = (session: string | null, changes: object = {}) => ({ ...small, session, ...changes });

  test('run one at a time in order of arrival, and do not keep other calls from a slot', async () => {
    const admission = admissionOf({ concurrency: 2 });
    const order: string[] = [];
    const enter = async (name: string, session: string | null) => {
      const slot = await admission.acquire(call(session));
      order.push(name);
      return slot;
    };
    const first = await enter('first', 's');
    const [second, third] = [enter('second', 's'), enter('third', 's')];
    (await enter('of another session', 't')).release();
    (await enter('of none', null)).release();
    (await admission.acquire({ ...call('s'), plugin: 'another' })).release();
    expect(admission.held).toMatchObject({ running: 1, waiting: 2 });
    first.release();
    (await second).release();
    (await third).release();
    expect(order).toEqual(['first', 'of another session', 'of none', 'second', 'third']);
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('are counted while they wait for their turn, and refused when too many wait', async () => {
    const admission = admissionOf({ maxQueue: 1 });
    const slot = await admission.acquire(call('s'));
    const caller = new AbortController();
    const left = admission.acquire(call('s', { signal: caller.signal }));
    await expect(admission.acquire(call('s'))).rejects.toMatchObject({
      refusal: { kind: 'full', waiting: 1 },
    });
    // Who needs not wait is not kept out.
    (await admission.acquire(call('t'))).release();
    caller.abort(new Error('changed its mind'));
    await expect(left).rejects.toThrow('changed its mind');
    const next = admission.acquire(call('s'));
    slot.release();
    (await next).release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('pass the turn on when one leaves the queue', async () => {
    const admission = admissionOf({ concurrency: 1 });
    const slot = await admission.acquire(small);
    const caller = new AbortController();
    const left = admission.acquire(call('s', { signal: caller.signal }));
    const next = admission.acquire(call('s'));
    caller.abort(new Error('changed its mind'));
    await expect(left).rejects.toThrow('changed its mind');
    slot.release();
    (await next).release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('queue once per session, so that a session with many calls delays the others by one turn', async () => {
    const admission = admissionOf({ concurrency: 1, maxQueue: 1_000 });
    const order: string[] = [];
    const enter = async (session: string): Promise<void> => {
      using _place = await admission.acquire(call(session));
      order.push(session);
      await arrive();
    };
    const calls = Array.from({ length: 100 }, () => enter('busy'));
    await Promise.all([...calls, enter('quiet')]);
    expect(order.indexOf('quiet')).toBeLessThanOrEqual(2);
    expect(order).toHaveLength(101);
  });

  test('acquire the container that the previous one released', async () => {
    const admission = admissionOf({ memoryBytes: 10 });
    let kept: MemoryReservation | null = null;
    const first = await admission.acquire(call('s'));
    const second = admission.acquire(call('s', { acquire: () => kept }));
    first.keepMemory((memory) => {
      kept = memory;
    });
    (await second).release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('are refused while they wait when they exceed new ceilings', async () => {
    const admission = admissionOf();
    const slot = await admission.acquire(call('s'));
    const waiting = admission.acquire(call('s'));
    admission.setCeilings({ memoryBytes: 5, cpuCores: 1 });
    await expect(waiting).rejects.toMatchObject({ refusal: { kind: 'too large', what: 'memory' } });
    slot.release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });
});

const ignore = (): void => {};

type Step = { readonly kind: 'enter' | 'release' | 'abort'; readonly pick: number };

const CEILINGS = { concurrency: 3, memoryBytes: 100, cpuCores: 2, maxQueue: 20 };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ kind: fc.constantFrom('enter', 'enter', 'release', 'abort'), pick: fc.nat(99) }),
  { maxLength: 80 },
);

test('under any order of arrivals, ends and aborts no ceiling is exceeded, and every call is admitted or refused', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (schedule) => {
      const admission = admissionOf(CEILINGS);
      const inside: { slot: Slot; session: string | null }[] = [];
      const callers: AbortController[] = [];
      const outcomes: Promise<void>[] = [];
      const leave = (): void => inside.shift()?.slot.release();
      const look = (): void => {
        const sessions = inside.flatMap(({ session }) => session ?? []);
        expect(new Set(sessions).size).toBe(sessions.length);
        const { running, memoryBytes, cpuCores, waiting } = admission.held;
        expect(running).toBeLessThanOrEqual(CEILINGS.concurrency);
        expect(memoryBytes).toBeLessThanOrEqual(CEILINGS.memoryBytes);
        expect(cpuCores).toBeLessThanOrEqual(CEILINGS.cpuCores);
        expect(waiting).toBeLessThanOrEqual(CEILINGS.maxQueue);
      };
      for (const { kind, pick } of schedule) {
        if (kind === 'release') leave();
        else if (kind === 'abort') callers[pick % (callers.length || 1)]?.abort();
        else {
          const caller = new AbortController();
          callers.push(caller);
          const needs = { plugin: `p${pick % 3}`, memoryBytes: (pick * 7) % 110, cpuCores: (pick % 5) / 2 };
          const session = pick % 2 === 0 ? `s${pick % 4}` : null;
          const entered = admission.acquire({ ...needs, session, signal: caller.signal });
          const arrived = (slot: Slot): void => {
            inside.push({ slot, session: session && `${needs.plugin} ${session}` });
          };
          outcomes.push(entered.then(arrived, ignore));
        }
        look();
        await arrive();
        look();
      }
      while (inside.length > 0) {
        leave();
        look();
        await arrive();
      }
      await Promise.all(outcomes);
      expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
    }),
    { numRuns: 200 },
  );
});

describe('idle containers', () => {
  test('hold memory below the ceiling, and get none while a call waits', async () => {
    const admission = admissionOf({ memoryBytes: 100, concurrency: 1 });
    const memory = admission.reserveMemory(60);
    expect(memory).not.toBeNull();
    expect(admission.reserveMemory(50)).toBeNull();
    const slot = await admission.acquire({ ...small });
    const next = admission.acquire({ ...small });
    expect(admission.reserveMemory(1)).toBeNull();
    slot.release();
    (await next).release();
    memory?.release();
    memory?.release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('give way to a call that needs their memory, which learns how much that is', async () => {
    const admission = admissionOf({ memoryBytes: 100, maxQueue: 0 });
    const memory = admission.reserveMemory(60);
    const shortages: number[] = [];
    admission.onShortage = (bytes) => shortages.push(bytes);
    // Although nobody may wait: a container that is idle makes nobody busy.
    const call = admission.acquire({ ...small, memoryBytes: 70 });
    expect(shortages).toEqual([30]);
    await expect(admission.acquire(small)).rejects.toMatchObject({ refusal: { kind: 'full' } });
    memory?.release();
    (await call).release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });

  test('are acquired by a call at its turn, which then needs no other memory', async () => {
    const admission = admissionOf({ memoryBytes: 100, concurrency: 1 });
    const memory = admission.reserveMemory(100);
    const first = await admission.acquire({ ...small, memoryBytes: 100, acquire: () => memory });
    expect(admission.held).toMatchObject({ running: 1, memoryBytes: 100, idleBytes: 0 });
    let asked = 0;
    const second = admission.acquire({
      ...small,
      acquire: () => {
        asked++;
        return null;
      },
    });
    expect(asked).toBe(0);
    let kept: MemoryReservation | undefined;
    first.keepMemory((memory) => {
      kept = memory;
      // Nobody is let in before it is where a call can acquire it.
      expect(asked).toBe(0);
    });
    expect(admission.held).toMatchObject({ running: 0, waiting: 1, memoryBytes: 100, idleBytes: 100 });
    expect(asked).toBe(1);
    kept?.release();
    (await second).release();
    expect(admission.held).toEqual({ running: 0, waiting: 0, idleBytes: 0, ...NOTHING });
  });
});
