/** How often it is looked; a block of the loop between two looks is told to this. */
const INTERVAL_MS = 5;

export interface Cost {
  /** How far the process grew, at most. */
  readonly rssBytes: number;
  /** The most CPU time that its main thread took between two looks. */
  readonly blockMs: number;
}

/**
 * Measures this process until it is told to stop. In CPU time of the thread, so that a host which gives it no time is not
 * taken for a loop that gives none to others.
 */
export function measureCost(): { stop(): Cost } {
  const rssBefore = process.memoryUsage.rss();
  let rssMost = rssBefore;
  let longestMs = 0;
  let lastMs = threadCpuMs();
  const look = (): void => {
    const nowMs = threadCpuMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    rssMost = Math.max(rssMost, process.memoryUsage.rss());
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return { rssBytes: rssMost - rssBefore, blockMs: longestMs };
    },
  };
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
