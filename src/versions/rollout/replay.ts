import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from '../../calls/outcome.ts';
import type { PluginExecutionResult } from '../../calls/result.ts';
import { LurkboxError } from '../../errors.ts';
import type { InstalledVersion, RecordedCall } from '../registry/record.ts';
import { failedThroughPlugin } from './evidence.ts';

/** A recorded call beside the same call on another version. */
export interface ReplayedCall {
  /** Of the call as it was recorded. */
  readonly executionId: string;
  readonly before: { readonly outcome: string; readonly result: unknown };
  readonly after: { readonly outcome: Outcome; readonly result: unknown; readonly error: string | null };
  /** Same outcome and same result. */
  readonly isSame: boolean;
  /** It was answered before, and the plugin fails now. */
  readonly isWorse: boolean;
}

export interface Replay {
  readonly version: string;
  readonly calls: readonly ReplayedCall[];
  readonly differing: number;
  readonly worse: number;
}

/** Calls of other versions again on this one, one after the other. */
export async function replayCalls(
  version: InstalledVersion,
  calls: readonly RecordedCall[],
  execute: (context: unknown) => Promise<PluginExecutionResult>,
): Promise<Replay> {
  const replayed: ReplayedCall[] = [];
  for (const call of calls) replayed.push(compare(call, await execute(call.context)));
  return {
    version: version.version,
    calls: replayed,
    differing: replayed.filter(({ isSame }) => !isSame).length,
    worse: replayed.filter(({ isWorse }) => isWorse).length,
  };
}

function compare({ executionId, ...before }: RecordedCall, after: PluginExecutionResult): ReplayedCall {
  return {
    executionId,
    before: { outcome: before.outcome, result: before.result },
    after: { outcome: after.outcome, result: after.result, error: after.error?.message ?? null },
    isSame: before.outcome === after.outcome && isDeepStrictEqual(before.result, after.result),
    isWorse: before.outcome === 'OK' && failedThroughPlugin(after.outcome) !== false,
  };
}

/** Calls that were answered before are not any more. */
export class ReplayError extends LurkboxError {
  readonly replay: Replay;

  constructor(name: string, replay: Replay) {
    const worse = replay.calls.filter(({ isWorse }) => isWorse);
    super(
      'STATE_INVALID',
      `\`${name}@${replay.version}\` does not become active: it fails in ${worse.length} of ${replay.calls.length} recorded calls.`,
      {
        problems: worse.slice(0, 10).map(({ executionId, before, after }) => ({
          path: executionId,
          message: `was ${before.outcome}, is ${after.outcome}${after.error === null ? '' : `: ${after.error}`}`,
        })),
      },
    );
    this.replay = replay;
  }
}
