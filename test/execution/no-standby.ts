import type { Standby } from '../../src/execution/standby.ts';

/** Nothing is ever there before its call. */
export const NO_STANDBY: Standby = {
  arrived: () => {},
  startsItsOwn: () => ({ [Symbol.dispose]: () => {} }),
  claim: () => null,
  keep: () => false,
  giveBack: () => false,
  close: async () => {},
};
