import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';

/** Where an engine that drives cgroups itself keeps those of its containers, in the versions 1 and 2. */
const GROUPS = [
  { folder: '/sys/fs/cgroup/pids/docker', threads: 'tasks' },
  { folder: '/sys/fs/cgroup/docker', threads: 'cgroup.threads' },
];
const DEADLINE_MS = 5_000;

/** Waits until there is no orphan but those; answers which there are in the end. */
export async function findNewOrphans(known: readonly string[]): Promise<string[]> {
  const deadline = performance.now() + DEADLINE_MS;
  while (true) {
    const orphans = (await findOrphans()).filter((id) => !known.includes(id));
    if (orphans.length === 0 || performance.now() > deadline) return orphans;
    await delay(100);
  }
}

/**
 * Ids of containers that the engine does not know any more and whose threads live on. A container that is only just
 * being created or removed looks like that for a moment.
 */
export async function findOrphans(): Promise<string[]> {
  const alive = await containersWithThreads();
  const containers = new Set((await new Docker().listContainers({ all: true })).map(({ Id }) => Id));
  return alive.filter((id) => !containers.has(id));
}

async function containersWithThreads(): Promise<string[]> {
  const found = await Promise.all(
    GROUPS.map(async ({ folder, threads }) => {
      const ids = await readdir(folder).catch(() => []);
      const texts = await Promise.all(
        ids.map((id) => readFile(join(folder, id, threads), 'utf8').catch(() => '')),
      );
      return ids.filter((id, index) => /^[0-9a-f]{64}$/.test(id) && texts[index] !== '');
    }),
  );
  return found.flat();
}
