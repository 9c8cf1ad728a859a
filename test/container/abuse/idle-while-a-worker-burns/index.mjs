import { Worker } from 'node:worker_threads';

export function execute() {
  new Worker('for (;;);', { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
