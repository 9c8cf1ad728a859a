import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CALL_CASES,
  type ChaosStage,
  createChaosStage,
  runChaosCase,
  runChaosCases,
  runChaosStorm,
  STALLED_BOOT,
  STREAM_CASES,
} from '../scenarios/chaos.ts';

let stage: ChaosStage;
beforeAll(async () => {
  stage = await createChaosStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

const quick = [...CALL_CASES, ...STREAM_CASES].filter(({ isHanging }) => !isHanging);
/** A load may take five minutes, so one that hangs stands for all. */
const hanging = [...CALL_CASES, ...STALLED_BOOT].filter(
  ({ title, fresh, isHanging }) => isHanging && (!fresh || title.includes('hangs before')),
);

describe('a fault between lurkbox and the engine', () => {
  test(
    'that hangs gives one outcome in time, at most one start, and leaves nothing (P1, P2, P9)',
    {
      timeout: 900_000,
    },
    () => runChaosCases(stage, hanging, 12),
  );

  test.each(quick)(
    '($title) gives one outcome, at most one start, and leaves nothing (P1, P2, P9)',
    (chaosCase) => runChaosCase(stage, chaosCase),
  );
});

test.each([1, 2, 3])(
  'a storm of faults (seed %i) leaves every execution with one outcome, and nothing in the engine (P1, P2, P9)',
  async (seed) => {
    const counts = await runChaosStorm(stage, { executions: 200, atOnce: 8, seed });
    expect(Object.keys(counts).length).toBeGreaterThan(2);
  },
);
