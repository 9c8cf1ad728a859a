import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

export function execute({ inputData: { lures } }) {
  const read = (path) => readFileSync(path, 'utf8').trim();
  const mounts = read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => {
      const [left, right] = line.split(' - ');
      const [, , , root, path] = left.split(' ');
      return { root, path, type: right.split(' ')[0], line };
    });
  return {
    processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
    cgroups: [
      ...new Set(
        read('/proc/self/cgroup')
          .split('\n')
          .map((line) => line.split(':')[2]),
      ),
    ],
    // What Docker puts into every container; its paths tell the folder of the engine and the id of the container.
    binds: mounts
      .filter(
        ({ type, root }) => root !== '/' && !['proc', 'cgroup', 'cgroup2', 'sysfs', 'tmpfs'].includes(type),
      )
      .map(({ path }) => path)
      .filter((path) => !['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'].includes(path)),
    canary: mounts.some(({ line }) => line.includes(dirname(lures.canaryFile))),
    interfaces: readdirSync('/sys/class/net'),
    domain: read('/proc/sys/kernel/domainname'),
  };
}
