import { Worker } from 'node:worker_threads';

const FLOOD = "const more = () => { process.stdout.write('x'.repeat(10000)); setImmediate(more); }; more();";

export function execute() {
  for (let index = 0; index < 2; index++) new Worker(FLOOD, { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
