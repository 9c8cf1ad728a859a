import { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } from 'node:child_process';
import cluster from 'node:cluster';
import { tryAll } from './attempt.mjs';

const node = process.execPath;

export function execute() {
  return tryAll({
    spawn: () => started(spawn(node, ['-v'])),
    spawnDetached: () => started(spawn(node, ['-v'], { detached: true, stdio: 'ignore' })),
    spawnAsRoot: () => started(spawn(node, ['-v'], { uid: 0, gid: 0 })),
    spawnInAShell: () => started(spawn('true', { shell: '/proc/self/exe' })),
    spawnByItsLink: () => started(spawn('/proc/self/exe', ['-v'], { argv0: 'sh' })),
    spawnTheLoader: () => started(spawn('/lib64/ld-linux-x86-64.so.2', [node, '-v'])),
    exec: () => started(exec('true', { shell: node })),
    execFile: () => started(execFile(node, ['-v'])),
    fork: () => started(fork('/plugin/index.mjs')),
    cluster: () => started(cluster.fork().process),
    spawnSync: () => throwError(spawnSync(node, ['-v'])),
    execSync: () => execSync('true', { shell: node }),
    execFileSync: () => execFileSync(node, ['-v']),
  });
}

function started(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('spawn', () => resolve());
  });
}

function throwError({ error }) {
  if (error) throw error;
}
