import { Worker } from 'node:worker_threads';

export function execute() {
  const deeper = 'const deeper = () => deeper() + 1; deeper();';
  new Worker(deeper, { eval: true, resourceLimits: { stackSizeMb: 1000 } });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
