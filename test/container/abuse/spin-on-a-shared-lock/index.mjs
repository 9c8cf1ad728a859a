import { Worker } from 'node:worker_threads';

/** Each gives the lock back only when the other one has it. */
export function execute() {
  const shared = new SharedArrayBuffer(4);
  const lock = new Int32Array(shared);
  new Worker(
    'const lock = new Int32Array(require("worker_threads").workerData); while (Atomics.load(lock, 0) !== 2);',
    {
      eval: true,
      workerData: shared,
    },
  );
  while (Atomics.load(lock, 0) !== 1);
}
