import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { createAuditFolder } from './audit-folder.ts';
import { startWriter } from './audit-writer.ts';

/** Each process takes its time to start where many do. */
vi.setConfig({ testTimeout: 120_000 });

const names = (writer: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${writer}-${index + 1}`);

test('two processes that write at once by the thousand write one unbroken chain', async () => {
  using folder = createAuditFolder();
  await using one = startWriter(folder.path, 'one', { count: 5_000 });
  await using two = startWriter(folder.path, 'two', { count: 5_000 });
  const ended = await Promise.all([one.ended, two.ended]);
  expect(ended.map(({ lastLine }) => lastLine)).toEqual(Array(2).fill('{"failures":0}'));

  const all = folder.ids();
  expect(all.filter((id) => id.startsWith('one'))).toEqual(names('one', 5_000));
  expect(all.filter((id) => id.startsWith('two'))).toEqual(names('two', 5_000));
  // They did take turns; else it would show nothing.
  expect(all.slice(0, all.indexOf('one-5000')).some((id) => id.startsWith('two'))).toBe(true);
  const report = await verifyAuditLog(folder.path);
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ ok: true, firstSeq: 1, lastSeq: report.records });
  expect(folder.records().some(({ kind }) => kind === 'recovered')).toBe(false);
});

test('a process that is killed at any moment loses nothing that it flushed, and blocks no other process', async () => {
  using folder = createAuditFolder();
  await using survivor = startWriter(folder.path, 'survivor', { batch: 3, pauseMs: 5 });
  await survivor.started;
  const moments = fc.sample(fc.integer({ min: 0, max: 60 }), { numRuns: 6, seed: 20 });
  const flushed: string[] = [];
  for (const [round, moment] of moments.entries()) {
    const writer = startWriter(folder.path, `killed${round}`);
    await writer.started;
    await sleep(moment);
    await writer.kill();
    flushed.push(writer.flushed ?? '');
    const before = survivor.flushed;
    await expect.poll(() => survivor.flushed, { timeout: 10_000 }).not.toBe(before);
  }
  await survivor.kill();
  await folder.append(1, 1);
  expect(folder.ids()).toEqual(expect.arrayContaining([...flushed, survivor.flushed, 'e-1']));
  const report = await verifyAuditLog(folder.path);
  expect(report.problems).toEqual([]);
  expect(report.lastSeq).toBe(report.records);
});

test('a log of a killed process verifies after it was opened again', async () => {
  const moments = fc.sample(fc.integer({ min: 0, max: 40 }), { numRuns: 5, seed: 21 });
  using folder = createAuditFolder();
  for (const [round, moment] of moments.entries()) {
    const writer = startWriter(folder.path, `killed${round}`, { batch: 400, maxFileBytes: 4096 });
    await writer.started;
    await sleep(moment);
    await writer.kill();
    (await folder.open()).close();
    const report = await verifyAuditLog(folder.path);
    expect(report.problems).toEqual([]);
    expect(folder.ids()).toContain(writer.flushed);
  }
});

test('a log verifies without a problem while other processes write and rotate it', async () => {
  using folder = createAuditFolder();
  const options = { maxFileBytes: 128 * 1024, keepFiles: 3, batch: 50 };
  await using one = startWriter(folder.path, 'one', options);
  await using two = startWriter(folder.path, 'two', options);
  await Promise.all([one.started, two.started]);
  const seen = new Set<number | null>();
  for (let round = 0; round < 30; round++) {
    const report = await verifyAuditLog(folder.path);
    expect(report.problems).toEqual([]);
    seen.add(report.firstSeq);
  }
  expect(seen.size).toBeGreaterThan(3); // It was rotated meanwhile.
});

test('a process goes on when the disk is full, and writes every record once when there is room again', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 1);
  const options = { count: 1_000, batch: 20, maxFileBytes: 1e6, pauseMs: 5, fileLimitKb: 100 };
  await using writer = startWriter(folder.path, 'full', options);
  await writer.failing;
  await sleep(200); // It tries again and again.
  expect((await verifyAuditLog(folder.path)).problems).toEqual([]);
  writer.liftLimit();
  const { lastLine, code } = await writer.ended;
  expect(code).toBe(0);
  expect(JSON.parse(lastLine).failures).toBeGreaterThan(0);
  expect(folder.ids()).toEqual(['e-1', ...names('full', 1_000)]);
  expect((await verifyAuditLog(folder.path)).problems).toEqual([]);
});

test('half a line that its writer takes back again and again is no problem of the log', async () => {
  using folder = createAuditFolder();
  await folder.append(1, 3);
  const file = join(folder.path, 'audit-000001.jsonl');
  const writer = new Worker(TAKES_BACK, { eval: true, workerData: file });
  try {
    await once(writer, 'message');
    for (let round = 0; round < 10; round++) expect((await verifyAuditLog(folder.path)).problems).toEqual([]);
  } finally {
    await writer.terminate();
  }
});

/** As a full disk has it: a part of a line is written, and cut off again. */
const TAKES_BACK = `
  const { appendFileSync, statSync, truncateSync } = require('node:fs');
  const { parentPort, workerData } = require('node:worker_threads');
  const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const { size } = statSync(workerData);
  for (let tries = 0; ; tries++) {
    appendFileSync(workerData, '{"half":');
    pause(3);
    truncateSync(workerData, size);
    if (tries === 0) parentPort.postMessage('begun');
    pause(9);
  }
`;
