import type { Ending } from './ending.ts';
import type { LogBook } from './logs.ts';
import type { PluginExecutionResult, Usage } from './result.ts';
import type { Stopwatch } from './stopwatch.ts';

export interface ResultParts {
  readonly executionId: string;
  readonly plugin: string;
  readonly version: string | null;
  readonly digest: string | null;
  readonly ending: Ending;
  readonly usage: Usage;
  readonly logs: LogBook;
  /** Beside those of the log. */
  readonly warnings?: readonly string[];
  readonly stopwatch: Stopwatch;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export function toResult({ ending, logs, stopwatch, ...parts }: ResultParts): PluginExecutionResult {
  return {
    executionId: parts.executionId,
    plugin: parts.plugin,
    version: parts.version,
    digest: parts.digest,
    outcome: ending.outcome,
    success: ending.outcome === 'OK',
    result: ending.outcome === 'OK' ? ending.result : null,
    error: ending.outcome === 'OK' ? null : ending.error,
    executionTimeMs: stopwatch.totalMs(),
    phases: stopwatch.phases(),
    usage: parts.usage,
    logs: logs.lines(),
    warnings: [...(parts.warnings ?? []), ...logs.warnings()],
    metadata: parts.metadata ?? {},
  };
}
