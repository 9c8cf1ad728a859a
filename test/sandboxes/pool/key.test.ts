import { expect, test } from 'vitest';
import { toKey } from '../../../src/sandboxes/pool/key.ts';
import { GRANT, IMAGE } from '../../spec/sample.ts';

const MADE = { image: IMAGE, grant: GRANT, entryPoint: 'index.mjs', preload: true };

test('the key of a container depends on everything that it is made from', () => {
  const others = [
    { ...MADE, image: `sha256:${'0'.repeat(64)}` },
    { ...MADE, entryPoint: 'other.mjs' },
    { ...MADE, preload: false },
    // Every single value of the grant, whether the container can show it or not.
    ...Object.keys(GRANT).map((key) => ({ ...MADE, grant: { ...GRANT, [key]: 'another' } as never })),
  ];
  const keys = [MADE, ...others].map(toKey);
  expect(new Set(keys).size).toBe(keys.length);
  expect(toKey({ ...MADE })).toBe(keys[0]);
});
