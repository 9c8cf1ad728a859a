import type { LogLevel } from '../protocol/messages.ts';
import type { Outcome } from './outcome.ts';

export interface LogLine {
  /** `debug`, `info`, `warn` or `error`. */
  readonly level: LogLevel;
  /** `console`: through `console` or `host.log`; `stdout`, `stderr`: printed past it; `lurkbox`: a note on lines that are not there. */
  readonly source: 'console' | 'stdout' | 'stderr' | 'lurkbox';
  /** As the plugin wrote it: escape it before it reaches a terminal. */
  readonly message: string;
}

/** Milliseconds; `null` for a phase that was not reached. */
export interface Phases {
  /** Waiting for a slot, for the engine to be found and for the image to be built, where it was not there. */
  readonly queueMs: number | null;
  /** From there until the engine had created the container and it was found to be as intended. */
  readonly createMs: number | null;
  /** Until the engine had started it. */
  readonly startMs: number | null;
  /** Until Node was up and ready for a context. */
  readonly bootMs: number | null;
  /** From handing over the context to the answer; the deadline is measured on this one. */
  readonly runMs: number | null;
  /** Until the engine no longer knew the container; `null` unless the call waited for it. */
  readonly teardownMs: number | null;
}

export interface Usage {
  /** Highest memory of the container, page cache and tmpfs included; `null` when it had ended or this host cannot see it. */
  readonly peakMemoryBytes: number | null;
  /** CPU time of all processes of the container; `null` likewise. */
  readonly cpuTimeMs: number | null;
}

export interface ExecutionError {
  /** The outcome, or a finer code where there is one. */
  readonly code: string;
  /** Bounded, and without what steers a terminal; that of a plugin which threw may have several lines. */
  readonly message: string;
  /** The plugin's own stack, where it threw; likewise. */
  readonly stack: string | null;
  /** What else the error has: its `cause`, `errors`, `code` and other fields; of a thrown value that is no error, all of it. */
  readonly details: unknown;
  /** What in the sandbox explains it and what to do, where that is known. */
  readonly hint: string | null;
}

/** How one call ended. Every call settles with exactly one of these. */
export interface PluginExecutionResult {
  /** Stands in events, in the audit log and on the container, too. */
  readonly executionId: string;
  /** Its name. */
  readonly plugin: string;
  /** The version that served the call; `null` where there was none. */
  readonly version: string | null;
  /** `sha256:…` of the plugin's content. */
  readonly digest: string | null;
  /** How the call ended: one of the table `OUTCOMES`. */
  readonly outcome: Outcome;
  /** `outcome === 'OK'`. */
  readonly success: boolean;
  /** What the plugin returned; `null` unless `success`. */
  readonly result: unknown;
  /** `null` when `success`. */
  readonly error: ExecutionError | null;
  /** From the call until it settled, waiting included. */
  readonly executionTimeMs: number;
  /** Where the time went. */
  readonly phases: Phases;
  /** What the container used. */
  readonly usage: Usage;
  /** What the plugin logged and printed, in order. */
  readonly logs: readonly LogLine[];
  /** Facts that did not decide the outcome, e.g. that logs were cut. */
  readonly warnings: readonly string[];
  /** What served the call: `sandboxId`, and `sandbox`, which is `cold`, `warm` or `reused`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export const UNKNOWN_USAGE: Usage = { peakMemoryBytes: null, cpuTimeMs: null };
