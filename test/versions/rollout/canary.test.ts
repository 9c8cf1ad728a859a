import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/calls/outcome.ts';
import type { Canary } from '../../../src/versions/registry/record.ts';
import { countCanaryCall, Health, judgeCanary } from '../../../src/versions/rollout/canary.ts';
import { failedThroughPlugin } from '../../../src/versions/rollout/evidence.ts';

const ACTIVE = 1;
const NEW = 2;

function verdictOf(calls: readonly (readonly [number, Outcome])[], needed: number): string[] {
  const none = { calls: 0, failures: 0 };
  let canary: Canary = { versionId: NEW, share: 0.5, calls: needed, tried: none, active: none };
  return calls.map(([version, outcome]) => {
    canary = countCanaryCall(canary, version, failedThroughPlugin(outcome));
    return judgeCanary(canary).kind;
  });
}

test('a canary that fails no more often than the active version wins after its calls', () => {
  const calls: [number, Outcome][] = [
    [NEW, 'OK'],
    [ACTIVE, 'OK'],
    [NEW, 'OK'],
  ];
  expect(verdictOf(calls, 2)).toEqual(['undecided', 'undecided', 'better']);
});

test('a canary that fails where the active version does not is worse', () => {
  expect(
    verdictOf(
      [
        [ACTIVE, 'OK'],
        [NEW, 'OK'],
        [NEW, 'PLUGIN_ERROR'],
      ],
      2,
    ).at(-1),
  ).toBe('worse');
});

test('a canary that fails as often as the active version is no worse', () => {
  const calls: [number, Outcome][] = [
    [ACTIVE, 'TIMEOUT'],
    [ACTIVE, 'OK'],
    [NEW, 'TIMEOUT'],
    [NEW, 'OK'],
  ];
  expect(verdictOf(calls, 2).at(-1)).toBe('better');
});

test('outcomes of the caller, the engine and the host do not count for a version', () => {
  const calls: [number, Outcome][] = [
    [NEW, 'INPUT_INVALID'],
    [NEW, 'BUSY'],
    [NEW, 'ENGINE_LOST'],
    [NEW, 'CANCELLED'],
    [NEW, 'OK'],
  ];
  expect(verdictOf(calls, 1)).toEqual(['undecided', 'undecided', 'undecided', 'undecided', 'better']);
  expect(failedThroughPlugin('CANCELLED')).toBeNull();
});

test('a canary with too many calls that do not count ends without a verdict', () => {
  const calls = Array.from({ length: 9 }, (): [number, Outcome] => [NEW, 'ENGINE_LOST']);
  expect(verdictOf(calls, 3).slice(-2)).toEqual(['undecided', 'unknown']);
  expect(verdictOf([...calls.slice(1), [NEW, 'OK'], [NEW, 'OK'], [NEW, 'OK']], 3).at(-1)).toBe('better');
  expect(
    verdictOf(
      Array.from({ length: 50 }, (): [number, Outcome] => [ACTIVE, 'BUSY']),
      2,
    ).at(-1),
  ).toBe('undecided');
});

test('the health of a version is known after enough calls, and covers the last ones', () => {
  const health = new Health(3);
  expect(health.note(true)).toBeNull();
  expect(health.note(null)).toBeNull();
  expect(health.note(false)).toBeNull();
  expect(health.note(false)).toEqual({ calls: 3, failures: 1 });
  expect(health.note(false)).toEqual({ calls: 3, failures: 0 });
  expect(health.note(true)).toEqual({ calls: 3, failures: 1 });
});
