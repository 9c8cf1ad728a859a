import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createIdentity, toLabels } from '../../src/execution/identity.ts';
import { Reaper } from '../../src/execution/reaper.ts';
import { LABELS } from '../../src/labels.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';
import { PARKED_MS, Parking, type ParkingOptions } from '../../src/pool/parking.ts';
import { buildContainerSpec } from '../../src/spec/build.ts';
import { FakeEngine } from '../helpers/fake-engine.ts';
import { GRANT, IMAGE } from '../spec/sample.ts';

const identity = createIdentity();
let engine: FakeEngine;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function createParking(changes: Partial<ParkingOptions> = {}): Parking {
  engine = new FakeEngine();
  return new Parking({
    maxAgeMs: 300_000,
    isWorthIt: () => true,
    reaper: new Reaper(identity, SILENT_LOGGER),
    logger: SILENT_LOGGER,
    ...changes,
  });
}

async function createFinished(changes: { key?: string; starts?: number; madeAt?: number } = {}) {
  const number = engine.containers.length + 1;
  const name = `lurkbox-e${number}`;
  const labels = { ...toLabels(identity), [LABELS.kind]: 'container', [LABELS.execution]: `e${number}` };
  const { id } = await engine.createContainer(
    buildContainerSpec({ grant: GRANT, name, image: IMAGE, labels }),
  );
  return { engine, id, name, labels, key: 'k', starts: 1, madeAt: performance.now(), ...changes };
}

test('gives out the one that came last, each once, and only for what it was made from', async () => {
  const parking = createParking();
  const [first, second, other] = [
    await createFinished(),
    await createFinished(),
    await createFinished({ key: 'other' }),
  ];
  for (const container of [first, second, other]) expect(parking.put(container)).toBe(true);
  expect([parking.take('k'), parking.take('k'), parking.take('k')]).toEqual([second, first, null]);
  expect(parking.take('other')).toBe(other);
  await parking.close();
});

test('removes what nobody takes for ten seconds, and nothing that was taken', async () => {
  const parking = createParking();
  const [unused, taken] = [await createFinished(), await createFinished()];
  for (const container of [unused, taken]) parking.put(container);
  expect(parking.take('k')).toBe(taken);
  await vi.advanceTimersByTimeAsync(PARKED_MS);
  expect(engine.removed).toEqual([unused.id]);
  expect(parking.take('k')).toBeNull();
});

describe('does not take a container', () => {
  test.each<[string, Partial<ParkingOptions>, { starts?: number; madeAt?: number }]>([
    ['that was started fifty times', {}, { starts: 50 }],
    ['that is too old', { maxAgeMs: 1_000 }, { madeAt: performance.now() - 2_000_000 }],
    ['when it is not worth it', { isWorthIt: () => false }, {}],
  ])('%s', async (_, options, changes) => {
    const parking = createParking(options);
    const container = await createFinished(changes);
    expect([parking.wants(container), parking.put(container), parking.size]).toEqual([false, false, 0]);
  });

  test('when it is closed, and removes those that are there', async () => {
    const parking = createParking();
    const container = await createFinished();
    parking.put(container);
    await parking.close();
    expect(engine.removed).toEqual([container.id]);
    expect(parking.put(await createFinished())).toBe(false);
    await parking.close();
  });
});

test('has the reaper leave a container alone from its first stay on, until it is gone', async () => {
  const reaper = new Reaper(identity, SILENT_LOGGER);
  const parking = createParking({ reaper });
  const container = await createFinished();
  // As the execution that it was made for has it, and ends it.
  const admitted = reaper.admit('e1');
  parking.put(container);
  admitted[Symbol.dispose]();
  reaper.begin(engine);
  await vi.advanceTimersByTimeAsync(1_000);
  parking.take('k');
  reaper.suspect();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(engine.removed).toEqual([]);
  parking.forget(container);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(engine.removed).toEqual([container.id]);
  await reaper.close();
});
