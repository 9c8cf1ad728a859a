import type { PluginExecutionResult } from '../calls/result.ts';

/**
 * How a step ended. `done`: its plugin answered. `failed`: it did not, or could not be called. `skipped`: there was
 * nothing to do for it. `cancelled`: the workflow ended while it ran. `not_reached`: the workflow ended before it.
 */
export type StepStatus = 'done' | 'failed' | 'skipped' | 'cancelled' | 'not_reached';

export interface StepResult {
  readonly status: StepStatus;
  /** One harmless sentence for a person, which may quote the plugin; `null` when `done`. */
  readonly reason: string | null;
  /** `null` where the plugin was not called, or gave no answer in time. */
  readonly result: PluginExecutionResult | null;
  /** Milliseconds since the workflow began; `null` where the plugin was not called. */
  readonly startedMs: number | null;
  /** Milliseconds since the workflow began. */
  readonly endedMs: number;
}

/** `FAILED`: a step failed whose rule is `stop`, or the output could not be made. The others are those of an execution. */
export type WorkflowOutcome = 'OK' | 'FAILED' | 'CANCELLED' | 'TIMEOUT';

/** How a workflow ended. */
export interface WorkflowResult {
  readonly workflow: string;
  readonly outcome: WorkflowOutcome;
  /** `outcome === 'OK'`. */
  readonly success: boolean;
  /** Why it is not `OK`; `null` otherwise. It may quote a plugin. */
  readonly reason: string | null;
  /** What `output` of the workflow names; `null` unless `success`. */
  readonly output: unknown;
  /** Every step, in the order of the document. */
  readonly steps: Readonly<Record<string, StepResult>>;
  readonly executionTimeMs: number;
  /** Facts that did not decide the outcome: steps that failed while the workflow went on. */
  readonly warnings: readonly string[];
}

/** A step has begun, has ended, or its plugin told how far it is. */
export interface WorkflowProgress {
  readonly step: string;
  readonly status: StepStatus | 'running';
  /** As in the result; `null` while it runs. */
  readonly reason: string | null;
  /** The progress that the plugin reported, from 0 to 1; `null` where a step begins or ends. */
  readonly said: { readonly fraction: number; readonly message: string } | null;
  /** Milliseconds since the workflow began. */
  readonly atMs: number;
}
