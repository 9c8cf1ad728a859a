import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export async function execute() {
  for (;;) {
    const failure = await new Promise((resolve) => {
      const worker = new Worker('setInterval(() => {}, 1e6)', {
        eval: true,
        resourceLimits: { stackSizeMb: 1 },
      });
      worker.once('online', () => resolve(null));
      worker.once('error', resolve);
    });
    const threads = readdirSync('/proc/self/task').length;
    if (threads > 24) throw new Error(`${threads} threads`);
    if (failure !== null) return failure.code;
  }
}
