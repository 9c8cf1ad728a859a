import { spawn } from 'node:child_process';

const DAEMON = `trap '' TERM HUP INT; (setsid sh -c "trap '' TERM HUP INT; while :; do sleep 8675309; done" &) &`;

export async function execute() {
  const shell = spawn('/bin/sh', ['-c', DAEMON], { detached: true, stdio: 'ignore' });
  await new Promise((resolve, reject) => shell.once('exit', resolve).once('error', reject));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return 'a daemon stays';
}
