import { isNativeAccelerationEnabled, pack, unpack } from 'msgpackr';

export const execute = () => ({
  native: isNativeAccelerationEnabled,
  back: unpack(pack({ list: [1, 'two'], big: 2 ** 40 })),
});
