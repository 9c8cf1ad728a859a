import { chmodSync, copyFileSync, openSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tryAll } from './attempt.mjs';

const FILE = '/tmp/native.node';

export function execute() {
  const folder = readdirSync('/lib').find((name) => name.endsWith('-linux-gnu'));
  copyFileSync(`/lib/${folder}/libm.so.6`, FILE);
  chmodSync(FILE, 0o777);
  symlinkSync(FILE, '/tmp/link.node');
  const fd = openSync(FILE, 'r');
  const load = (path) => () => process.dlopen({ exports: {} }, path);
  return tryAll({
    file: load(FILE),
    link: load('/tmp/link.node'),
    descriptor: load(`/proc/self/fd/${fd}`),
    mapped: load(`/proc/1/root${FILE}`),
    required: () => createRequire('/tmp/')(FILE),
    imported: () => import(FILE),
  });
}
