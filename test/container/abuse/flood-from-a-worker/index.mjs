import { Worker } from 'node:worker_threads';

const FLOOD = `
  const { writeSync } = require('node:fs');
  for (;;) try { writeSync(1, 'flood '.repeat(1000)); } catch {}
`;

export function execute() {
  for (let index = 0; index < 4; index++) new Worker(FLOOD, { eval: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
