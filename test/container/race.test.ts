import { expect, test } from 'vitest';
import { RACES, race } from '../scenarios/race.ts';

// Here for the tracer, which the set-up of these tests brings. The long form goes through every system call.
test.each(RACES)(
  '`$operation` reads and touches nothing foreign, whatever is swapped meanwhile (P10)',
  async (one) => {
    const { calls, faults } = await race({ ...one, trials: 30, step: 17 });
    expect(faults).toEqual([]);
    expect(calls.size).toBeGreaterThan(2);
  },
);
