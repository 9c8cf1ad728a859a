import { Worker } from 'node:worker_threads';

export async function execute() {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  process.dlopen({ exports: {} }, '/plugin/probe.node');
}
