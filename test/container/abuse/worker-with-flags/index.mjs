import { SHARE_ENV, Worker } from 'node:worker_threads';
import { tryAll } from './attempt.mjs';

const SPAWN = `
const { spawnSync } = require('child_process');
require('worker_threads').parentPort.postMessage(spawnSync(process.execPath).error.code);
`;
const INTERNALS = `
const { internalBinding } = require('internal/test/binding');
const options = { file: process.execPath, args: ['node', '-v'], envPairs: [], stdio: [{ type: 'ignore' }] };
const { error } = internalBinding('spawn_sync').spawn(options);
require('worker_threads').parentPort.postMessage(error === -1 ? 'EPERM' : 'started');
`;
const STATUS = `
const status = require('fs').readFileSync('/proc/thread-self/status', 'utf8');
require('worker_threads').parentPort.postMessage(status.match(/^(Seccomp|CapBnd):.*$/gm).join(' '));
`;

export function execute() {
  return tryAll({
    environment: () => ask(SPAWN, { env: SHARE_ENV }),
    internals: () => ask(INTERNALS, { execArgv: ['--expose-internals', '--no-warnings'] }),
    flagsOfV8: () => ask(SPAWN, { execArgv: ['--max-old-space-size=4096'] }),
    limits: () => ask(STATUS, { resourceLimits: { maxOldGenerationSizeMb: 100_000, stackSizeMb: 256 } }),
  });
}

function ask(code, options) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(code, { eval: true, ...options });
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', (exitCode) => reject(new Error(`exit ${exitCode}`)));
  });
}
