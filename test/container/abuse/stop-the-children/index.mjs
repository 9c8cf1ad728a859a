import { spawn } from 'node:child_process';

export function execute() {
  const child = spawn('/bin/sh', ['-c', 'while :; do sleep 1; done'], { stdio: 'inherit', detached: true });
  child.once('spawn', () => process.kill(-child.pid, 'SIGSTOP'));
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
