import { subscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';

/** How long a thread that has just started must be quiet: it waits for its modules now and then. */
const QUIET_MS = 20;
/** For a thread that has just started, such as the transport of a logger, which has all lines to print yet. */
export const MAX_STARTING_MS = 1_000;
/** A thread is busy when it worked for more than this share of the time since the last look. */
const BUSY_SHARE = 0.5;

/** A thread of the plugin, as it was when it was looked at. */
interface Thread {
  readonly worker: Worker;
  readonly startedAt: number;
  lookedAt: number;
  activeMs: number;
  /** Since when it has been quiet; `null` while it is not. */
  quietSince: number | null;
  hasSettled: boolean;
}

const now = performance.now.bind(performance);
let threads: Thread[] = [];
let hasStarted = false;

export function watchThreads(): void {
  subscribe('worker_threads', (message) => {
    hasStarted = true;
    const { worker } = message as { readonly worker: Worker };
    const startedAt = now();
    const thread = {
      worker,
      startedAt,
      lookedAt: startedAt,
      activeMs: 0,
      quietSince: null,
      hasSettled: false,
    };
    threads[threads.length] = thread;
  });
}

/** Whether the plugin ever started a thread. */
export function hasThreads(): boolean {
  return hasStarted;
}

/** `starting`: one has not come to rest since it was started; `busy`: one is at work again. */
export function stateOfThreads(): 'quiet' | 'busy' | 'starting' {
  let state: 'quiet' | 'busy' | 'starting' = 'quiet';
  const alive: Thread[] = [];
  for (let index = 0; index < threads.length; index++) {
    const thread = threads[index] as Thread;
    const is = lookAt(thread);
    if (is === 'gone') continue;
    alive[alive.length] = thread;
    if (is === 'starting' || state === 'quiet') state = is;
  }
  threads = alive;
  return state;
}

function lookAt(thread: Thread): 'gone' | 'quiet' | 'busy' | 'starting' {
  try {
    if (thread.worker.threadId === -1) return 'gone';
    if (isQuiet(thread)) return 'quiet';
    return thread.hasSettled ? 'busy' : 'starting';
  } catch {
    // The plugin replaced what is needed here, so its threads cannot be waited for.
    return 'gone';
  }
}

/** Node tells how long the event loop of a thread was at work, and all of it is zero before the thread is up. */
function isQuiet(thread: Thread): boolean {
  const { idle, active } = thread.worker.performance.eventLoopUtilization();
  const time = now();
  const isAtWork = idle === 0 || active - thread.activeMs > (time - thread.lookedAt) * BUSY_SHARE;
  thread.lookedAt = time;
  thread.activeMs = active;
  thread.quietSince = isAtWork ? null : (thread.quietSince ?? time);
  if (thread.quietSince !== null && time - thread.quietSince >= QUIET_MS) thread.hasSettled = true;
  // A thread that never rests does not count as starting for ever.
  if (time - thread.startedAt >= MAX_STARTING_MS) thread.hasSettled = true;
  return !isAtWork && thread.hasSettled;
}
