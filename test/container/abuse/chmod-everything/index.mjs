import { chmodSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export async function execute() {
  writeFileSync('/tmp/setuid', '#!/usr/local/bin/node');
  const answers = await tryAll({
    setuid: () => chmodSync('/tmp/setuid', 0o6777),
    run: () => process.getBuiltinModule('node:child_process').execFileSync('/tmp/setuid'),
    plugin: () => chmodSync('/plugin/index.mjs', 0o777),
    node: () => chmodSync('/usr/local/bin/node', 0o4755),
    root: () => chmodSync('/', 0o777),
    proc: () => chmodSync('/proc/self/mem', 0o777),
    device: () => chmodSync('/dev/null', 0),
    time: () => utimesSync('/plugin/index.mjs', 0, 0),
  });
  mkdirSync('/tmp/locked/inner', { recursive: true });
  writeFileSync('/tmp/locked/inner/file', 'x');
  for (const path of ['/tmp/locked/inner/file', '/tmp/locked/inner', '/tmp/locked', '/tmp'])
    chmodSync(path, 0);
  const locked = await tryAll({
    read: () => readFileSync('/tmp/locked/inner/file'),
    list: () => statSync('/tmp/locked'),
  });
  return { ...answers, ...locked };
}
