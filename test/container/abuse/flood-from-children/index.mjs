import { spawn } from 'node:child_process';

export function execute() {
  for (let index = 0; index < 4; index++) {
    spawn('/bin/sh', ['-c', 'while :; do echo flood flood flood flood flood flood; done'], {
      stdio: 'inherit',
    });
  }
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
