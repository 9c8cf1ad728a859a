import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import {
  CONTAINERD_KILLED,
  createEngineStage,
  type EngineStage,
  expectWell,
  KILLED,
  KILLED_FOR_LONG,
  removeImages,
  runEngineFault,
  runEngineStorm,
  STOPPED,
} from '../scenarios/engine-faults.ts';

let engine: PrivateEngine;
let stage: EngineStage;
beforeAll(async () => {
  engine = await createPrivateEngine();
  stage = await createEngineStage(engine, { name: 'engine-faults' });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

describe('while plugins run', () => {
  test.each([
    ...Array.from({ length: 10 }, () => KILLED),
    ...Array.from({ length: 5 }, () => STOPPED),
    KILLED_FOR_LONG,
    CONTAINERD_KILLED,
  ])('$title: each gets one typed outcome, nothing is left, and the next call works (P1, P2)', (fault) =>
    runEngineFault(stage, fault),
  );
});

test('the image of a plugin and its base are built again when both were removed by hand', async () => {
  await removeImages(stage, { base: true });
  await expectWell(stage);
});

test.each([1, 2, 3])(
  'a storm of faults of the engine (seed %i) leaves every execution with one outcome, and nothing in it (P1, P2)',
  async (seed) => {
    const counts = await runEngineStorm(stage, { rounds: 20, atOnce: 6, seed });
    expect(counts['OK']).toBeGreaterThan(20);
  },
);
