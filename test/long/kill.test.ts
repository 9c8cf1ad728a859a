import { expect, test } from 'vitest';
import { killOrchestrators } from '../scenarios/kill.ts';

test('everything of 200 orchestrators that are killed at random moments is gone within 10 s (P2)', async () => {
  const killed = await killOrchestrators(200);
  expect(killed).toHaveLength(200);
  const slowest = Math.max(...killed.map(({ goneAfterMs }) => goneAfterMs));
  console.log(`the slowest was gone after ${Math.round(slowest)} ms`);
});
