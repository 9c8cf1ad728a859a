import { closeSync, openSync, readdirSync, renameSync, truncateSync, unlinkSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute() {
  const writable = (path) => () => closeSync(openSync(path, 'r+'));
  return tryAll({
    self: writable('/proc/self/exe'),
    process1: writable('/proc/1/exe'),
    thread: writable('/proc/thread-self/exe'),
    heldOpen: () => {
      const fd = openSync('/proc/self/exe', 'r');
      closeSync(openSync(`/proc/self/fd/${fd}`, 'r+'));
    },
    node: writable('/usr/local/bin/node'),
    runner: writable('/lurkbox/runner.cjs'),
    library: () => writable(libraries()[0])(),
    mapped: () => writable(`/proc/self/map_files/${readdirSync('/proc/self/map_files')[0]}`)(),
    truncate: () => truncateSync('/usr/local/bin/node', 0),
    rename: () => renameSync('/lurkbox/runner.cjs', '/lurkbox/old.cjs'),
    unlink: () => unlinkSync('/usr/local/bin/node'),
  });
}

function libraries() {
  const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
  return readdirSync(`/lib/${folder}`).map((name) => `/lib/${folder}/${name}`);
}
