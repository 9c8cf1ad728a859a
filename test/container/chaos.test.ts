import { afterAll, beforeAll, describe, test } from 'vitest';
import { CALL_NAMES, FAULT_NAMES, HANGING } from '../helpers/chaos-faults.ts';
import {
  CALL_CASES,
  type ChaosStage,
  createChaosStage,
  runChaosCase,
  runChaosCases,
  STREAM_CASES,
} from '../scenarios/chaos.ts';

let stage: ChaosStage;
beforeAll(async () => {
  stage = await createChaosStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

const QUICK = FAULT_NAMES.filter((fault) => !HANGING.includes(fault) && fault !== 'slow');
/** One of the quick faults for each call, every fault in its turn; the long form has them all. */
const quick = CALL_NAMES.map((call, index) => `${call}: ${QUICK[index % QUICK.length]}`);
const hanging = [
  'ping: hangs before',
  'info: hangs after',
  'createNetwork: done late',
  'createContainer: done late',
  'inspectContainer: hangs before',
  'attach: hangs after',
  'start: hangs after',
  'wait: hangs before',
  'removeContainer: hangs before',
];
const streams = [
  'the stream: cut after 0 bytes',
  'the stream: cut after 40 bytes',
  'the stream: garbage after 0 bytes',
];

const casesOf = (titles: readonly string[]) =>
  [...CALL_CASES, ...STREAM_CASES].filter(({ title }) => titles.includes(title));

describe.concurrent('a fault between lurkbox and the engine', () => {
  test('that hangs gives one outcome in time, at most one start, and leaves nothing (P1, P2, P9)', () =>
    runChaosCases(stage, casesOf(hanging), hanging.length));

  test.each(casesOf([...quick, ...streams]))(
    '($title) gives one outcome, at most one start, and leaves nothing (P1, P2, P9)',
    (chaosCase) => runChaosCase(stage, chaosCase),
  );
});
