import { spawn } from 'node:child_process';

export function execute() {
  for (let index = 0; index < 8; index++) {
    spawn('/bin/sh', ['-c', "trap '' TERM; while :; do :; done"], { stdio: 'ignore', detached: true });
  }
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
