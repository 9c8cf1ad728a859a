import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, Worker } from 'node:worker_threads';

/** In a worker: where the kernel ends who tries it, it ends one thread. */
if (!isMainThread) {
  try {
    process.dlopen({ exports: {} }, '/plugin/probe.node');
  } catch {
    // It is no module of Node.
  }
}

export async function execute({ inputData: { answers } }) {
  const worker = new Worker(import.meta.filename);
  await new Promise((resolve) => worker.once('online', resolve));
  for (let tries = 0; tries < 20; tries++) {
    await delay(25);
    try {
      return Number(readFileSync(answers).readBigInt64LE(0)) < 0 ? 'refused' : 'succeeded';
    } catch {
      // It has not answered yet, or never will.
    }
  }
  return 'the thread was ended';
}
