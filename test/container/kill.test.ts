import { expect, test } from 'vitest';
import { killOrchestrators } from '../scenarios/kill.ts';

test('everything of an orchestrator that is killed at a random moment is gone within 10 s (P2)', async () => {
  const killed = await killOrchestrators(6);
  expect(killed).toHaveLength(6);
}, 240_000);
