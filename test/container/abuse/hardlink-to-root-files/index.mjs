import { linkSync, openSync, readdirSync, renameSync } from 'node:fs';
import { tryAll } from './attempt.mjs';

export function execute() {
  const link =
    (from, to = '/tmp/name') =>
    () =>
      linkSync(from, to);
  return tryAll({
    passwd: link('/etc/passwd'),
    node: link('/usr/local/bin/node'),
    own: link('/plugin/plugin.json'),
    inPlace: link('/plugin/plugin.json', '/plugin/other.json'),
    bound: link('/etc/hostname'),
    proc: link('/proc/self/exe'),
    descriptor: () => link(`/proc/self/fd/${openSync('/usr/local/bin/node', 'r')}`)(),
    device: link('/dev/null'),
    folder: link('/plugin'),
    intoProc: link('/tmp', '/proc/x'),
    rename: () => renameSync('/plugin/plugin.json', '/tmp/plugin.json'),
    nothingThere: () => readdirSync('/tmp').toString() || Promise.reject(new Error('empty')),
  });
}
