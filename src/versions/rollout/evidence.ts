import type { ExecutionContextConfig } from '../../calls/context.ts';
import { FAULT_OF, type Outcome } from '../../calls/outcome.ts';
import type { PluginExecutionResult } from '../../calls/result.ts';
import type { InstalledVersion } from '../registry/record.ts';

/** Whether a call counts as a failure of its version; `null`: it says nothing about it. */
export type Evidence = boolean | null;

/** What a call shows about its version. */
export interface CallOutcome {
  readonly context: ExecutionContextConfig;
  readonly result: Pick<PluginExecutionResult, 'outcome' | 'error' | 'phases'>;
  /** Whether the caller gave it less time than the plugin is granted. */
  readonly isShort: boolean;
}

/** How the call would have ended in another version. */
export interface Probe {
  /** Whether it refuses such a call before anything is started. */
  refuses(version: InstalledVersion, context: ExecutionContextConfig): Promise<boolean>;
  hasImage(version: InstalledVersion): Promise<boolean>;
}

/** A caller that aborts is impatient, unless the call took this many times the mean of the version before, and this long. */
const PATIENCE_FACTOR = 4;
const MIN_PATIENCE_MS = 1_000;

/** Versions before that are asked, the first one among them: else two bad ones would cover for each other. */
const MAX_ASKED = 5;

/** What the files and packages of a version can bring about, as codes of `IMAGE_MISSING`. */
const UNBUILDABLE: readonly string[] = ['DEPENDENCY_FAILED', 'IMAGE_BUILD_FAILED', 'MANIFEST_INVALID'];

/** Whether the plugin failed, by the outcome alone; `null` where that may lie with others. */
export function failedThroughPlugin(outcome: Outcome): Evidence {
  if (outcome === 'OK') return false;
  return FAULT_OF[outcome] === 'plugin' ? true : null;
}

/**
 * Whether a call counts against its version. What a version can bring about by its manifest, its schemas or its packages
 * counts where a version that was active before, which is asked, would not have given it: else a version that refuses or cannot be built
 * would be nobody's fault. What the engine or the host did never counts, nor what the caller did to either version.
 */
export async function judgeCall(
  version: InstalledVersion,
  { context, result: { outcome, error, phases }, isShort }: CallOutcome,
  befores: readonly InstalledVersion[],
  probe: Probe,
): Promise<Evidence> {
  if (outcome === 'CANCELLED' || (outcome === 'TIMEOUT' && isShort)) {
    const called = befores.find(({ statistics }) => statistics.calls > 0);
    return called !== undefined && (phases.runMs ?? 0) >= patienceOf(called) ? true : null;
  }
  const byOutcome = failedThroughPlugin(outcome);
  if (byOutcome !== null || befores.length === 0) return byOutcome;
  const asked = befores.filter((_, index) => index < MAX_ASKED - 1 || index === befores.length - 1);
  if (outcome === 'INPUT_INVALID' || outcome === 'PERMISSION_DENIED' || outcome === 'HOST_RESOURCES') {
    // A host without memory, or a mount that is not what it was, is not of the version.
    if (!(await probe.refuses(version, context))) return null;
    for (const before of asked) if (!(await probe.refuses(before, context))) return true;
    return null;
  }
  if (outcome === 'IMAGE_MISSING' && UNBUILDABLE.includes(error?.code ?? '')) {
    for (const before of asked) if (await probe.hasImage(before)) return true;
  }
  return null;
}

function patienceOf({ statistics: { calls, totalMs } }: InstalledVersion): number {
  return Math.max(MIN_PATIENCE_MS, (PATIENCE_FACTOR * totalMs) / calls);
}
