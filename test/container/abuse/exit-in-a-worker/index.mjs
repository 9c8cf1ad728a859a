import { Worker } from 'node:worker_threads';

export function execute() {
  const worker = new Worker('process.exit(7)', { eval: true });
  return new Promise((resolve) => worker.once('exit', resolve));
}
