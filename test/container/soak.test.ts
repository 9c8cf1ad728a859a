import { test } from 'vitest';
import { soak } from '../scenarios/soak.ts';

test('36 executions in a row and 24 at once leave everything as it was (P1, P2, P5)', async () => {
  await soak({ sequential: 36, parallel: 24 });
}, 240_000);
