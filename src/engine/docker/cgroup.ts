import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ContainerUsage, EngineFacts } from '../engine.ts';

const ROOT = '/sys/fs/cgroup';

/**
 * Reads what the kernel accounted to a running container from its cgroup, which costs a fraction of a millisecond; the
 * engine's own stats call answers once a second. An engine on another machine, in a virtual machine or without root
 * keeps its cgroups where this cannot see them: then both values are null.
 * @see https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
export function readCgroupUsage(id: string, facts: EngineFacts): ContainerUsage {
  const group = groupOf(id, facts);
  return facts.cgroupVersion === '2' ? readVersion2(group) : readVersion1(group);
}

/**
 * Kills every thread in the cgroup of a container, past the engine. An OCI runtime takes a container for ended when the
 * first thread of its first process is, and machine code can end that thread alone: then neither `kill` nor `remove`
 * reaches the others. Does nothing where this process may not, or cannot see that cgroup.
 */
export async function killCgroup(id: string, facts: EngineFacts): Promise<void> {
  const group = groupOf(id, facts);
  const file =
    facts.cgroupVersion === '2' ? `${ROOT}/${group}/cgroup.threads` : `${ROOT}/pids/${group}/tasks`;
  const threads = (await readFile(file, 'utf8').catch(() => '')).split('\n').map(Number);
  // A thread of another pid namespace reads as 0, which is no thread but a whole group to `kill`.
  for (const thread of threads.filter((id) => id > 0)) kill(thread);
}

// Any thread of a process stands for all of it (kill(2)).
function kill(thread: number): void {
  try {
    process.kill(thread, 'SIGKILL');
  } catch {
    // It has ended, or is not ours to end.
  }
}

function groupOf(id: string, facts: EngineFacts): string {
  return facts.cgroupDriver === 'systemd' ? `system.slice/docker-${id}.scope` : `docker/${id}`;
}

function readVersion1(group: string): ContainerUsage {
  const peak = readNumber(`${ROOT}/memory/${group}/memory.max_usage_in_bytes`);
  const cpuNanoseconds = readNumber(`${ROOT}/cpuacct/${group}/cpuacct.usage`);
  return { peakMemoryBytes: peak, cpuTimeMs: cpuNanoseconds === null ? null : cpuNanoseconds / 1e6 };
}

function readVersion2(group: string): ContainerUsage {
  const peak = readNumber(`${ROOT}/${group}/memory.peak`);
  const cpuMicroseconds = readNumber(`${ROOT}/${group}/cpu.stat`, /^usage_usec (\d+)$/m);
  return { peakMemoryBytes: peak, cpuTimeMs: cpuMicroseconds === null ? null : cpuMicroseconds / 1e3 };
}

// At once: the kernel answers from memory in microseconds, and a thread to read it took half the time of a call in a reused container.
function readNumber(file: string, pattern = /^(\d+)$/m): number | null {
  try {
    const found = pattern.exec(readFileSync(file, 'utf8'))?.[1];
    return found === undefined ? null : Number(found);
  } catch {
    return null;
  }
}
