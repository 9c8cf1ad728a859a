import { randomUUID } from 'node:crypto';
import type { Grant } from '../policy/grant.ts';
import type { ExecutionContextConfig } from './context.ts';
import { Stopwatch } from './stopwatch.ts';

export interface ExecuteOptions {
  /** Aborting settles the execution as `CANCELLED` at once; the container is removed after that. */
  readonly signal?: AbortSignal;
  /**
   * Resolve only when the container is gone, and measure that too.
   * @default false: resolve as soon as the execution has settled
   */
  readonly waitForRemoval?: boolean;
  /** Shorter than what the plugin is granted, in milliseconds. @default what it is granted */
  readonly timeoutMs?: number;
  /** Called with the progress that the plugin reports, from 0 to 1; the message is escaped, and cut after 1,000 characters. */
  readonly onProgress?: (fraction: number, message: string) => void;
}

/** One call of a plugin, from when it came until it is settled. */
export interface Call {
  readonly executionId: string;
  readonly context: ExecutionContextConfig;
  readonly options: ExecuteOptions;
  /** Deadline, counted from handing over the context. */
  readonly timeoutMs: number;
  /** The session that the call belongs to, where its container is reused for one; `null`: none. */
  readonly session: string | null;
  readonly stopwatch: Stopwatch;
}

export function createCall(context: ExecutionContextConfig, options: ExecuteOptions, grant: Grant): Call {
  return {
    executionId: randomUUID(),
    context,
    options,
    timeoutMs: Math.min(grant.timeoutMs, options.timeoutMs ?? grant.timeoutMs),
    session: grant.isolation.mode === 'session' ? sessionOf(context) : null,
    stopwatch: new Stopwatch(),
  };
}

/** Sessions of two users are two sessions, even with the same id. */
function sessionOf({ userId, sessionId }: ExecutionContextConfig): string | null {
  return sessionId === null ? null : JSON.stringify([userId, sessionId]);
}
