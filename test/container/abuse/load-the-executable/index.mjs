import { constants } from 'node:os';
import { tryAll } from './attempt.mjs';

export function execute() {
  const load = (path, flags) => () => process.dlopen({ exports: {} }, path, flags);
  return tryAll({
    self: load('/proc/self/exe'),
    node: load('/usr/local/bin/node', constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL),
    memory: load('/proc/self/mem'),
    null: load('/dev/null'),
    zero: load('/dev/zero'),
    folder: load('/plugin'),
    manifest: load('/plugin/plugin.json'),
  });
}
