import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RefusedError, type Slot } from '../../../src/calls/admission/admission.ts';
import { admissionOf } from './sample.ts';

const MIB = 1024 * 1024;
const NOTHING = { memoryBytes: 0, cpuCores: 0 };
const of = (plugin: string, changes: object = {}) => ({ plugin, ...NOTHING, ...changes });

/** Lets everything that was resolved arrive. */
const arrive = () => new Promise<void>((resolve) => setImmediate(resolve));

type Entered = Slot | RefusedError | 'waits';

/** Calls that were made, each with what has come of it so far. */
function callsOf(admission: ReturnType<typeof admissionOf>) {
  const calls: { plugin: string; entered: Entered }[] = [];
  const enter = (plugin: string, changes: object = {}) => {
    const call: { plugin: string; entered: Entered } = { plugin, entered: 'waits' };
    calls.push(call);
    void admission.acquire(of(plugin, changes)).then(
      (slot) => {
        call.entered = slot;
      },
      (error: RefusedError) => {
        call.entered = error;
      },
    );
    return call;
  };
  const many = (count: number, plugin: string, changes: object = {}) =>
    Array.from({ length: count }, () => enter(plugin, changes));
  return { enter, many, calls };
}

const isIn = ({ entered }: { entered: Entered }): boolean =>
  typeof entered === 'object' && 'release' in entered;
const refusalOf = ({ entered }: { entered: Entered }) =>
  entered instanceof RefusedError ? entered.refusal : null;
const release = ({ entered }: { entered: Entered }): void => {
  if (typeof entered === 'object' && 'release' in entered) entered.release();
};

describe('a queue that one plugin has filled', () => {
  test('takes the call of another plugin, and its newest call of the first is refused with the reason', async () => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency: 1, maxQueue: 10 }));
    const hanging = many(11, 'hanger');
    const late = enter('hanger');
    const honest = enter('honest');
    await arrive();
    expect(refusalOf(late)).toEqual({ kind: 'full', waiting: 10, ofPlugin: 10, plugins: 1, share: 10 });
    expect(refusalOf(hanging.at(-1)!)).toEqual({
      kind: 'gave way',
      waiting: 10,
      ofPlugin: 10,
      plugins: 2,
      share: 5,
    });
    expect(hanging.slice(1, -1).map(({ entered }) => entered)).toEqual(Array(9).fill('waits'));
    expect(honest.entered).toBe('waits');
    release(hanging[0]!);
    await arrive();
    expect(isIn(honest)).toBe(true);
  });

  test('is shared until each plugin has the same, and then refuses every call as full', async () => {
    const admission = admissionOf({ isShared: () => true, concurrency: 1, maxQueue: 6 });
    const { many, calls } = callsOf(admission);
    for (const plugin of ['a', 'b', 'c']) many(20, plugin);
    await arrive();
    const waiting = Object.groupBy(
      calls.filter(({ entered }) => entered === 'waits'),
      ({ plugin }) => plugin,
    );
    // Of the first one a call runs beside those that wait.
    expect(Object.fromEntries(Object.entries(waiting).map(([name, all]) => [name, all?.length]))).toEqual({
      a: 2,
      b: 2,
      c: 2,
    });
    expect(admission.held.waiting).toBe(6);
  });

  test('with a single place gives it to a plugin that has none, and does not take it back', async () => {
    const { enter } = callsOf(admissionOf({ isShared: () => true, concurrency: 1, maxQueue: 1 }));
    const [, hanging, honest] = [enter('hanger'), enter('hanger'), enter('honest')];
    const again = enter('hanger');
    await arrive();
    expect([hanging, again].map((call) => refusalOf(call)?.kind)).toEqual(['gave way', 'full']);
    expect(honest.entered).toBe('waits');
  });

  test('may be filled with calls of one session, which give way too', async () => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency: 2, maxQueue: 4 }));
    many(5, 'hanger', { session: 's' });
    const other = enter('other');
    const [honest] = [enter('honest')];
    await arrive();
    expect(isIn(other)).toBe(true);
    expect(honest.entered).toBe('waits');
  });

  test('does not give its places to a plugin that has as many', async () => {
    const { many } = callsOf(admissionOf({ isShared: () => true, concurrency: 1, maxQueue: 4 }));
    const [first, second] = [many(3, 'a'), many(4, 'b')];
    await arrive();
    expect(first.map(refusalOf)).toEqual([null, null, null]);
    expect(second.map((call) => refusalOf(call)?.kind)).toEqual([undefined, undefined, 'full', 'full']);
  });
});

describe('slots that one plugin holds for a long time', () => {
  test.each([
    ['of one', 1, 1],
    ['of two', 2, 2],
    ['of three', 3, 3],
    ['of four', 4, 3],
    ['of sixteen', 16, 14],
    ['of a thousand', 1000, 875],
  ])('%s leave a small reserve to others', async (_, concurrency, expected) => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency, maxQueue: 2000 }));
    const hanging = many(concurrency + 5, 'hanger');
    const honest = enter('honest');
    await arrive();
    expect(hanging.filter(isIn)).toHaveLength(expected);
    expect(isIn(honest)).toBe(expected < concurrency);
    release(hanging[0]!);
    await arrive();
    expect(isIn(honest)).toBe(true);
  });

  test('leave one for a plugin that has none, although the queue has no place', async () => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency: 4, maxQueue: 0 }));
    const hanging = many(6, 'hanger');
    const honest = enter('honest');
    await arrive();
    expect(hanging.map((call) => refusalOf(call)?.kind ?? 'in')).toEqual([
      'in',
      'in',
      'in',
      'full',
      'full',
      'full',
    ]);
    expect(isIn(honest)).toBe(true);
  });

  test('may be all the slots where there is no other plugin', async () => {
    const { many } = callsOf(admissionOf({ concurrency: 16, isShared: () => false }));
    const calls = many(20, 'alone');
    await arrive();
    expect(calls.filter(isIn)).toHaveLength(16);
  });

  test.each([
    ['memory', { memoryBytes: 1024 * MIB }, { memoryBytes: 96 * MIB }, 9],
    ['memory for two only', { memoryBytes: 200 * MIB }, { memoryBytes: 96 * MIB }, 2],
    ['memory for less than two', { memoryBytes: 100 * MIB }, { memoryBytes: 96 * MIB }, 1],
    ['CPU', { cpuCores: 8 }, { cpuCores: 0.8 }, 8],
    ['CPU for one only', { cpuCores: 1 }, { cpuCores: 0.8 }, 1],
  ])('are bounded by %s in the same way', async (_, ceilings, needs, expected) => {
    const { many } = callsOf(
      admissionOf({ isShared: () => true, concurrency: 64, maxQueue: 100, ...ceilings }),
    );
    const hanging = many(20, 'hanger', needs);
    await arrive();
    expect(hanging.filter(isIn)).toHaveLength(expected);
  });

  test('go to a plugin that has none as soon as one is free', async () => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency: 4, maxQueue: 100 }));
    const hanging = ['a', 'b'].flatMap((plugin) => many(5, plugin));
    const honest = enter('honest');
    await arrive();
    expect(honest.entered).toBe('waits');
    release(hanging.find(isIn)!);
    await arrive();
    expect(isIn(honest)).toBe(true);
  });

  test.each([1, 2, 3])('of %i go to the plugins that had no turn yet', async (concurrency) => {
    const { enter, many } = callsOf(admissionOf({ isShared: () => true, concurrency, maxQueue: 100 }));
    const names = ['a', 'b', 'c'].slice(0, concurrency);
    const hanging = names.map((plugin) => enter(plugin));
    for (const plugin of names) many(4, plugin);
    const late = ['d', 'honest'].map((plugin) => enter(plugin));
    await arrive();
    for (const call of hanging.filter(isIn)) release(call);
    await arrive();
    expect(late.filter(isIn)).toHaveLength(Math.min(concurrency, late.length));
  });

  test('reach every plugin, even when some call again at once', async () => {
    const { enter, many, calls } = callsOf(admissionOf({ concurrency: 1, maxQueue: 100 }));
    many(2, 'slow');
    const ended = new Set<object>();
    for (let round = 0; round < 6; round++) {
      for (const plugin of ['x', 'y']) enter(plugin);
      await arrive();
      const running = calls.find((call) => isIn(call) && !ended.has(call));
      ended.add(running ?? {});
      release(running ?? { entered: 'waits' });
      await arrive();
    }
    expect(calls.filter(({ plugin }) => plugin === 'slow').every(isIn)).toBe(true);
  });

  test('keep a large call of the same plugin waiting until its other call has ended, and no longer', async () => {
    const { enter } = callsOf(
      admissionOf({ isShared: () => true, concurrency: 8, memoryBytes: 100, maxQueue: 100 }),
    );
    const own = enter('large', { memoryBytes: 50 });
    const others = ['a', 'b', 'c'].map((plugin) => enter(plugin, { memoryBytes: 15 }));
    const large = enter('large', { memoryBytes: 50 });
    await arrive();
    expect([own, ...others].every(isIn)).toBe(true);
    release(own);
    const small = enter('d', { memoryBytes: 15 });
    await arrive();
    // It has nothing now, and is before those that come later.
    expect([large, small].map(isIn)).toEqual([true, false]);
  });
});

const PLUGINS = ['a', 'b', 'c'] as const;
const CEILINGS = { concurrency: 6, memoryBytes: 100, cpuCores: 4, maxQueue: 12 };

const schedules = fc.record({
  ceilings: fc.record({
    concurrency: fc.integer({ min: 1, max: 9 }),
    memoryBytes: fc.integer({ min: 100, max: 900 }),
    cpuCores: fc.integer({ min: 1, max: 6 }),
    maxQueue: fc.integer({ min: 0, max: 12 }),
  }),
  steps: fc.array(
    fc.record({
      plugin: fc.constantFrom(...PLUGINS),
      session: fc.constantFrom(null, null, 's', 't'),
      memoryBytes: fc.integer({ min: 0, max: 100 }),
      cpuCores: fc.constantFrom(0, 0.1, 0.5, 1),
      /** How many of those that run end before the next step. */
      ends: fc.constantFrom(0, 0, 0, 1, 2),
    }),
    { maxLength: 120 },
  ),
});

test('a call of a plugin that holds no slot is admitted after a bounded number of ends, whatever other plugins do (P10)', async () => {
  await fc.assert(
    fc.asyncProperty(schedules, fc.nat(119), async ({ ceilings, steps }, arrivesAt) => {
      const admission = admissionOf({ ...ceilings, isShared: () => true });
      const { enter, calls } = callsOf(admission);
      const running = () => calls.filter((call) => isIn(call) && !done.has(call));
      const done = new Set<object>();
      const end = (): void => {
        const [first] = running();
        if (first === undefined) return;
        done.add(first);
        release(first);
      };
      let honest: ReturnType<typeof enter> | undefined;
      let ends = 0;
      for (const [index, { ends: count, plugin, ...needs }] of steps.entries()) {
        if (index === arrivesAt) honest = enter('honest', { memoryBytes: 10, cpuCores: 0.1 });
        enter(plugin, needs);
        await arrive();
        const { running: now, memoryBytes, cpuCores, waiting } = admission.held;
        expect(now).toBeLessThanOrEqual(ceilings.concurrency);
        expect(memoryBytes).toBeLessThanOrEqual(ceilings.memoryBytes);
        expect(cpuCores).toBeLessThanOrEqual(ceilings.cpuCores);
        expect(waiting).toBeLessThanOrEqual(ceilings.maxQueue);
        for (let left = count; left > 0; left--) {
          end();
          if (honest?.entered === 'waits') ends++;
          await arrive();
        }
      }
      if (honest !== undefined) {
        // Each plugin before it has one turn, for which all that runs may have to end.
        const most = ceilings.concurrency * (PLUGINS.length + 1);
        while (honest.entered === 'waits' && ends < most) {
          end();
          ends++;
          await arrive();
        }
        const hasShare = ceilings.maxQueue >= PLUGINS.length + 1;
        if (hasShare || refusalOf(honest) === null) expect(isIn(honest)).toBe(true);
      }
      while (running().length > 0) {
        end();
        await arrive();
      }
      expect(calls.every(({ entered }) => entered !== 'waits')).toBe(true);
      expect(admission.held).toMatchObject({ running: 0, waiting: 0, ...NOTHING });
    }),
    { numRuns: 300 },
  );
});

test('the calls of one plugin are admitted in order, whichever call loses its place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...PLUGINS, null), { maxLength: 150 }), async (steps) => {
      const admission = admissionOf({ ...CEILINGS, isShared: () => true });
      const order: Record<string, number[]> = { a: [], b: [], c: [] };
      const slots: Slot[] = [];
      for (const [index, plugin] of steps.entries()) {
        if (plugin === null) slots.shift()?.release();
        else {
          void admission.acquire(of(plugin)).then(
            (slot) => {
              order[plugin]?.push(index);
              slots.push(slot);
            },
            () => {},
          );
        }
        await arrive();
      }
      for (const indexes of Object.values(order)) expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
    }),
    { numRuns: 200 },
  );
});

test('ten thousand waiting calls cost some microseconds each, even when each takes the place of another', async () => {
  const admission = admissionOf({ isShared: () => true, concurrency: 16, maxQueue: 10_000 });
  const { many, calls } = callsOf(admission);
  const since = performance.now();
  many(10_000, 'hanger');
  for (let index = 0; index < 10_000; index++) many(1, `plugin-${index % 500}`);
  await arrive();
  const entered = () => calls.filter((call) => isIn(call) && !ended.has(call));
  const ended = new Set<object>();
  for (let round = 0; round < 100; round++) {
    for (const call of entered()) {
      ended.add(call);
      release(call);
    }
    await arrive();
  }
  expect(ended.size).toBeGreaterThan(1_000);
  // With a scan of the line for each call they would be hundreds of millions of steps.
  expect(performance.now() - since).toBeLessThan(5_000);
});
