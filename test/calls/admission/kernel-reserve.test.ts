import { expect, test } from 'vitest';
import { withoutKernelReserve } from '../../../src/calls/admission/kernel-reserve.ts';

const MIB = 1024 * 1024;

test('kernel memory outside of the limits is reserved for each container that may run, up to a quarter of the host (P10)', () => {
  expect(withoutKernelReserve(24_576 * MIB, 16)).toBe((24_576 - 16 * 96) * MIB);
  expect(withoutKernelReserve(4_096 * MIB, 16)).toBe(3_072 * MIB);
  expect(withoutKernelReserve(4_096 * MIB, 1)).toBe(4_000 * MIB);
});
