import { Worker } from 'node:worker_threads';

/** More of them than there are processors, on a quarter of one. */
export function execute() {
  for (let index = 0; index < 4; index++) new Worker('for (;;);', { eval: true });
  return new Promise(() => {});
}
