import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const SAMPLE_MS = 5;

/** What an execution cost the process that ordered it. */
export interface HostCost {
  /** The most by which the resident memory of this process grew. */
  readonly memoryGrowthBytes: number;
  /** The longest time that this thread computed without letting a timer run: CPU time, so other processes do not count. */
  readonly longestBlockMs: number;
}

/** Watches this process while it does the work. */
export async function watchHost<T>(work: () => Promise<T>): Promise<{ value: T; cost: HostCost }> {
  collectGarbage();
  const before = process.memoryUsage.rss();
  let peak = before;
  let longest = 0;
  let last = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last);
    longest = Math.max(longest, (user + system) / 1000);
    peak = Math.max(peak, process.memoryUsage.rss());
    last = process.threadCpuUsage();
  }, SAMPLE_MS);
  try {
    const value = await work();
    return { value, cost: { memoryGrowthBytes: peak - before, longestBlockMs: longest } };
  } finally {
    clearInterval(timer);
  }
}

/** How many handles, timers and requests keep this process alive, by kind. */
export type Resources = ReadonlyMap<string, number>;

export function countResources(): Resources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Waits until there are no more than there were; answers the kinds of which there still are. */
export async function findLeakedResources(before: Resources, deadlineMs = 10_000): Promise<string[]> {
  const deadline = performance.now() + deadlineMs;
  while (true) {
    const grown = [...countResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    if (grown.length === 0 || performance.now() > deadline) return grown.map(([kind]) => kind);
    await delay(20);
  }
}

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
