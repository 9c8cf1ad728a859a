import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What /proc says, in a form that can be compared, whether it was read inside a container or on its host. */

/** `Name:\tvalue` lines; blanks at the end are not part of a value. */
export function parseStatus(status: string): Record<string, string> {
  return Object.fromEntries(
    status
      .trim()
      .split('\n')
      .map((line) => line.split(/:\s*/) as [string, string])
      .map(([name, value]) => [name, value.trim()]),
  );
}

/** Name → soft and hard limit. */
export function parseLimits(limits: string): Record<string, string> {
  const [, ...lines] = limits.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', soft, hard] = /^(.{25}) (\S+) +(\S+)/.exec(line) ?? [];
      return [name.trim(), `${soft} ${hard}`];
    }),
  );
}

const RESTRICTIONS = ['ro', 'rw', 'nosuid', 'nodev', 'noexec'];

/** Mount point → type and restrictions, `tmpfs rw,nosuid,nodev,noexec`. */
export function parseMounts(mountinfo: string): Record<string, string> {
  return Object.fromEntries(
    mountinfo
      .trim()
      .split('\n')
      .map((line) => {
        const [left = '', right = ''] = line.split(' - ');
        const [, , , , path = '', options = ''] = left.split(' ');
        const restrictions = options.split(',').filter((option) => RESTRICTIONS.includes(option));
        return [path, `${right.split(' ')[0]} ${restrictions.join(',')}`];
      }),
  );
}

export function readNamespaces(pid: number | 'self'): Record<string, string> {
  const folder = `/proc/${pid}/ns`;
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readlinkSync(`${folder}/${name}`)]));
}

/** The limits that the kernel holds a process to, from its cgroups, whichever version they are. */
export function readCgroupLimits(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const pathOf = (controller: string): string | undefined =>
    lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2];
  const read = (path: string): string => readFileSync(`/sys/fs/cgroup/${path}`, 'utf8').trim();
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    const group = pathOf('');
    const memory = read(`${group}/memory.max`);
    return {
      memory,
      memoryAndSwap: String(Number(memory) + Number(read(`${group}/memory.swap.max`))),
      pids: read(`${group}/pids.max`),
      cpu: read(`${group}/cpu.max`).replace(' ', ' of '),
    };
  }
  const [memory, pids, cpu] = ['memory', 'pids', 'cpu'].map((name) => `${name}${pathOf(name)}`);
  return {
    memory: read(`${memory}/memory.limit_in_bytes`),
    memoryAndSwap: read(`${memory}/memory.memsw.limit_in_bytes`),
    pids: read(`${pids}/pids.max`),
    cpu: `${read(`${cpu}/cpu.cfs_quota_us`)} of ${read(`${cpu}/cpu.cfs_period_us`)}`,
  };
}
