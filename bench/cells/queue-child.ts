// node --expose-gc queue-child.ts <workspace> <batches> <calls>
// Answers a `QueueResult` on stdout.

import { setTimeout as delay } from 'node:timers/promises';
import { createLurkbox, type Lurkbox } from '../../src/index.ts';
import { createInput, ECHO, PAYLOAD_BYTES, POLICY } from '../plugin.ts';
import type { QueueBatch, QueueResult } from './queue.ts';

const SETTLE_MS = 300;
const BUSY_MS = 25_000;

const [root = '.', batchCount = '1', callCount = '1'] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await measure(root, Number(batchCount), Number(callCount))));

async function measure(workspaceRoot: string, batchCount: number, calls: number): Promise<QueueResult> {
  await using lurkbox = await createLurkbox({
    workspaceRoot,
    policy: POLICY,
    concurrency: 1,
    maxQueue: calls,
    maxWarm: 0,
  });
  await lurkbox.plugins.discoverAndLoadAll(workspaceRoot);
  const batches: QueueBatch[] = [];
  // The first one lets every list and table grow to its size, and does not count.
  for (let batch = 0; batch <= batchCount; batch++) {
    const measured = await measureBatch(lurkbox, calls);
    if (batch > 0) batches.push(measured);
  }
  return { calls, payloadBytes: PAYLOAD_BYTES, batches };
}

async function measureBatch({ plugins }: Lurkbox, calls: number): Promise<QueueBatch> {
  const leaving = new AbortController();
  const { signal } = leaving;
  const busy = plugins.executePlugin(ECHO, { inputData: { ...createInput(BUSY_MS) } }, { signal });
  await delay(SETTLE_MS * 4);
  const before = await memory();
  const waiting = Array.from({ length: calls }, () =>
    plugins.executePlugin(ECHO, { inputData: { ...createInput() } }, { signal }),
  );
  const after = await memory();
  leaving.abort();
  const outcomes = await Promise.all([busy, ...waiting]);
  const other = outcomes.find(({ outcome }) => outcome !== 'CANCELLED');
  if (other !== undefined) throw new Error(`A call that should have waited ended with ${other.outcome}.`);
  return { heapBytes: (after.heap - before.heap) / calls, rssBytes: (after.rss - before.rss) / calls };
}

async function memory(): Promise<{ heap: number; rss: number }> {
  await delay(SETTLE_MS);
  globalThis.gc?.();
  await delay(SETTLE_MS);
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}
