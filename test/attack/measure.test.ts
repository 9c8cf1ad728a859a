import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { measureCost } from '../../src/attack/measure.ts';

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

test('a blocked event loop is measured by its CPU time', async () => {
  const cost = measureCost();
  await delay(20);
  const start = cpuMs();
  while (cpuMs() - start < 150);
  await delay(20);
  expect(cost.stop().blockMs).toBeGreaterThanOrEqual(150);
});

test('waiting costs next to nothing', async () => {
  const cost = measureCost();
  await delay(200);
  expect(cost.stop().blockMs).toBeLessThan(100);
});

test('the peak of memory is measured, even when it is freed at the end', async () => {
  const cost = measureCost();
  const taken: Buffer[] = Array.from({ length: 100 }, () => Buffer.alloc(1024 * 1024, 1));
  await delay(30);
  taken.length = 0;
  expect(cost.stop().rssBytes).toBeGreaterThan(64 * 1024 * 1024);
});
