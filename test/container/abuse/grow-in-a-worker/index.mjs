import { Worker } from 'node:worker_threads';

const FILL = 'const kept = []; for (;;) kept.push(new Array(100_000).fill(kept.length));';

export function execute() {
  new Worker(FILL, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 100_000 } });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
