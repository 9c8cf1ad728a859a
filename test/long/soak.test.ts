import { test } from 'vitest';
import { soak } from '../scenarios/soak.ts';

test('1,000 executions in a row and 200 at once leave everything as it was (P1, P2, P5)', async () => {
  await soak({ sequential: 1_000, parallel: 200 });
});
