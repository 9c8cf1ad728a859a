import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FailedOutcome, failed } from '../../../src/calls/ending.ts';
import { BackOff, type Blame, blameOf } from '../../../src/sandboxes/pool/back-off.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Seconds of each pause, where every try fails. */
function pausesOf(backOff: BackOff, blames: readonly Blame[], wasUp: boolean): number[] {
  return blames.map((blame) => {
    const pauseMs = backOff.fail(blame, { wasUp });
    expect(backOff.mayTry(performance.now() + pauseMs - 1)).toBe(false);
    vi.advanceTimersByTime(pauseMs);
    return pauseMs / 1000;
  });
}

const times = (count: number, blame: Blame): Blame[] => Array(count).fill(blame);

describe('the pause after a failure to start', () => {
  test.each<[string, Blame, boolean, number[]]>([
    [
      'up to five minutes where it lies with the plugin',
      'plugin',
      true,
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 300],
    ],
    [
      'up to five seconds where the engine does not start it',
      'engine',
      false,
      [1, 2, 4, 5, 5, 5, 5, 5, 5, 5],
    ],
    [
      'and more again where the engine starts it and it is lost again and again',
      'engine',
      true,
      [1, 2, 4, 5, 5, 32, 64, 128, 256, 300],
    ],
  ])('doubles the last one: %s', (_title, blame, wasUp, pauses) => {
    expect(pausesOf(new BackOff(), times(pauses.length, blame), wasUp)).toEqual(pauses);
  });

  test('starts over when a container has served a call', () => {
    const backOff = new BackOff();
    pausesOf(backOff, times(9, 'engine'), true);
    backOff.succeed();
    expect(pausesOf(backOff, times(5, 'engine'), true)).toEqual([1, 2, 4, 5, 5]);
  });
});

test.each<[FailedOutcome, Blame]>([
  ['PLUGIN_CRASHED', 'plugin'],
  ['TIMEOUT', 'plugin'],
  ['INTERNAL', 'plugin'],
  ['HOST_RESOURCES', 'engine'],
  ['CONTAINER_VANISHED', 'engine'],
])('an ending as %s is blamed on the %s', (outcome, blame) => {
  expect(blameOf(failed(outcome, ''))).toBe(blame);
});

test('several containers that are lost at once count as one failure', () => {
  const backOff = new BackOff();
  vi.advanceTimersByTime(1);
  for (let lost = 0; lost < 9; lost++) backOff.fail('engine', { wasUp: true });
  vi.advanceTimersByTime(60_000);
  expect(backOff.fail('engine', { wasUp: true })).toBeLessThanOrEqual(5_000);
});
