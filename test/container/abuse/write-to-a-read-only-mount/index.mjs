import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tryAll } from './attempt.mjs';

const FILE = '/mnt/shared/file';

export function execute() {
  return tryAll({
    read: () => readFileSync(FILE, 'utf8'),
    append: () => appendFileSync(FILE, 'x'),
    truncate: () => truncateSync(FILE),
    again: () => openSync(`/proc/self/fd/${openSync(FILE, 'r')}`, 'r+'),
    chmod: () => chmodSync(FILE, 0o777),
    time: () => utimesSync(FILE, 0, 0),
    rename: () => renameSync(FILE, '/mnt/shared/other'),
    link: () => linkSync(FILE, '/mnt/shared/other'),
    symlink: () => symlinkSync('/', '/mnt/shared/root'),
    mkdir: () => mkdirSync('/mnt/shared/folder'),
    remove: () => unlinkSync(FILE),
    beside: () => mkdirSync('/mnt/other'),
    above: () => readFileSync('/mnt/shared/../../etc/shadow'),
    socket: () =>
      new Promise((resolve, reject) =>
        createServer().once('error', reject).listen('/mnt/shared/socket', resolve),
      ),
  });
}
