import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { Worker } from 'node:worker_threads';

export async function execute() {
  const names = (text) =>
    text
      .split('\0')
      .filter(Boolean)
      .map((line) => line.split('=')[0])
      .sort();
  const worker = new Worker("require('worker_threads').parentPort.postMessage(Object.keys(process.env))", {
    eval: true,
  });
  const ofWorker = await new Promise((resolve) => worker.once('message', resolve));
  const { username, homedir, shell } = userInfo();
  return {
    own: Object.keys(process.env).sort(),
    same: [
      names(readFileSync('/proc/1/environ', 'utf8')),
      names(readFileSync('/proc/thread-self/environ', 'utf8')),
      Object.keys(process.report.getReport().environmentVariables).sort(),
      ofWorker.sort(),
    ].every((list) => list.join() === Object.keys(process.env).sort().join()),
    host: hostname(),
    user: [username, homedir, shell],
    path: process.env.PATH,
  };
}
