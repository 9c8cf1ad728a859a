import { expect, test } from 'vitest';
import { RACES, race } from '../scenarios/race.ts';

test.each(RACES)(
  '`$operation` reads and touches nothing foreign, whatever is swapped after any system call (P10)',
  async (one) => {
    const { calls, faults, refused, trials } = await race({
      ...one,
      trials: 60 * one.swaps.length,
      step: 31,
    });
    console.log(
      `${one.operation}: ${trials} trials, ${refused} refused, swapped after ${calls.size} different calls`,
    );
    expect(faults).toEqual([]);
  },
);
