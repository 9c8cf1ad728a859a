import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { LABELS } from '../../src/labels.ts';

/** Where an engine that drives cgroups itself keeps the threads of a container, in the versions 1 and 2. */
const THREADS = [
  (id: string) => `/sys/fs/cgroup/pids/docker/${id}/tasks`,
  (id: string) => `/sys/fs/cgroup/docker/${id}/cgroup.threads`,
];
const DEADLINE_MS = 5_000;

export interface OrphanWatch extends AsyncDisposable {
  /**
   * Containers of an execution whose threads live on, though the engine may not know them any more. Waits until there
   * is none, or for a while.
   */
  orphansOf(executionId: string): Promise<string[]>;
}

/** Listens to the engine from now on, which tells of every container that it makes. */
export async function watchForOrphans(): Promise<OrphanWatch> {
  const ids = new Map<string, string[]>();
  const stream = await new Docker().getEvents({ filters: { type: ['container'], event: ['create'] } });
  const lines = createInterface({ input: stream });
  lines.on('line', (line) => {
    const { id, Actor } = JSON.parse(line) as { id: string; Actor: { Attributes: Record<string, string> } };
    const execution = Actor.Attributes[LABELS.execution] ?? '';
    ids.set(execution, [...(ids.get(execution) ?? []), id]);
  });
  // The connection ends when nobody listens any more.
  for (const source of [stream, lines]) source.on('error', () => {});
  return {
    orphansOf: (executionId) => untilNoneLives(() => ids.get(executionId) ?? []),
    [Symbol.asyncDispose]: async () => {
      lines.close();
      (stream as unknown as { destroy(): void }).destroy();
    },
  };
}

async function untilNoneLives(read: () => readonly string[]): Promise<string[]> {
  const deadline = performance.now() + DEADLINE_MS;
  while (true) {
    const ids = read();
    const alive = await Promise.all(ids.map(hasThreads));
    const orphans = ids.filter((_, index) => alive[index]);
    if (performance.now() > deadline) return ids.length === 0 ? ['no container was told of'] : orphans;
    if (ids.length > 0 && orphans.length === 0) return [];
    await delay(20);
  }
}

async function hasThreads(id: string): Promise<boolean> {
  const texts = await Promise.all(THREADS.map((path) => readFile(path(id), 'utf8').catch(() => '')));
  return texts.some((text) => text !== '');
}
