import { ChildProcess } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { tryAll } from './attempt.mjs';

const EPERM = -1;
const OPTIONS = {
  file: process.execPath,
  args: [process.execPath, '-v'],
  envPairs: [],
  stdio: [0, 1, 2].map((fd) => ({ type: 'inherit', fd })),
};

export function execute() {
  return tryAll({
    natives: () => {
      setFlagsFromString('--allow-natives-syntax');
      return typeof runInThisContext('%GetOptimizationStatus(() => 1)');
    },
    spawnSync: () => check(process.binding('spawn_sync').spawn(OPTIONS).error),
    childProcess: () => check(new ChildProcess().spawn(OPTIONS)),
    internal: () => process.binding('internal_binding'),
    linked: () => process._linkedBinding('spawn_sync'),
    killOthers: () => process._kill(2, 9) === 0 || check(EPERM),
  });
}

function check(code) {
  if (code !== 0) throw new Error(code === EPERM ? 'EPERM' : `error ${code}`);
}
