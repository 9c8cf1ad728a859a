import { readdir, readFile } from 'node:fs/promises';
import { busyMs } from './quiet.ts';

/** Where the CPU time of a machine goes; each is `null` where this machine does not tell. */
export interface Accounts {
  readonly totalMs: number;
  readonly dockerdMs: number | null;
  readonly containerdMs: number | null;
  /** The programs in the containers, and what the OCI runtime does there before it becomes them. */
  readonly containersMs: number | null;
  readonly orchestratorMs: number;
}

/** Ticks of `/proc/<pid>/stat`; the kernel tells all programs 100 for a second. */
const TICK_MS = 10;

const CGROUP_FILES: readonly { readonly path: string; readonly read: (text: string) => number }[] = [
  { path: '/sys/fs/cgroup/cpuacct/docker/cpuacct.usage', read: (text) => Number(text) / 1e6 },
  {
    path: '/sys/fs/cgroup/docker/cpu.stat',
    read: (text) => Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1e3,
  },
];

export async function readAccounts(): Promise<Accounts> {
  const { user, system } = process.cpuUsage();
  return {
    totalMs: busyMs(),
    dockerdMs: await processMs('dockerd'),
    containerdMs: await processMs('containerd'),
    containersMs: await containersMs(),
    orchestratorMs: (user + system) / 1e3,
  };
}

/** Of all processes of that name, with the children that they have waited for. */
async function processMs(name: string): Promise<number | null> {
  let found: number | null = null;
  for (const pid of (await readdir('/proc').catch(() => [])).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [, comm, fields] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    if (comm !== name || fields === undefined) continue;
    // After the name: state is field 3, and utime, stime, cutime and cstime are 14 to 17.
    const ticks = fields.split(' ').slice(11, 15).map(Number);
    found = (found ?? 0) + ticks.reduce((sum, value) => sum + value, 0) * TICK_MS;
  }
  return found;
}

async function containersMs(): Promise<number | null> {
  for (const { path, read } of CGROUP_FILES) {
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text !== null) return read(text);
  }
  return null;
}
