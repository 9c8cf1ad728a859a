import type { ContainerSource } from '../../../src/sandboxes/container/container-source.ts';

/** Nothing is ever there before its call. */
export const NO_SOURCE: ContainerSource = {
  arrived: () => {},
  startsItsOwn: () => ({ [Symbol.dispose]: () => {} }),
  acquire: () => null,
  reuse: () => false,
  giveBack: () => false,
  prewarm: async () => 0,
  tryLoading: async () => null,
  close: async () => {},
};
