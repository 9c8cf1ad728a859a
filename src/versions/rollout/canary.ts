import type { Canary, Tally } from '../registry/record.ts';
import type { Evidence } from './evidence.ts';

/** A canary ends without a verdict when this many times its calls, and at least this many, say nothing about the version. */
const SILENT_CALLS_FACTOR = 3;
const MIN_SILENT_CALLS = 8;

export interface Verdict {
  /** `unknown`: too many of its calls said nothing. */
  readonly kind: 'undecided' | 'better' | 'worse' | 'unknown';
  readonly message: string;
}

/** The canary with one more call in it. */
export function countCanaryCall(canary: Canary, versionId: number, failed: Evidence): Canary {
  if (failed === null)
    return versionId === canary.versionId ? { ...canary, silent: (canary.silent ?? 0) + 1 } : canary;
  return versionId === canary.versionId
    ? { ...canary, tried: counted(canary.tried, failed) }
    : { ...canary, active: counted(canary.active, failed) };
}

/** It has to be as good: a larger share of failures than the active one has at the same time is too many. */
export function judgeCanary({ calls, tried, active, silent = 0 }: Canary): Verdict {
  const message = `${describe(tried)} of the new version failed, ${describe(active)} of the active one`;
  if (tried.calls < calls && silent >= Math.max(MIN_SILENT_CALLS, calls * SILENT_CALLS_FACTOR))
    return {
      kind: 'unknown',
      message: `${silent} calls of the new version said nothing about it; ${message}`,
    };
  if (tried.calls < calls) return { kind: 'undecided', message };
  return { kind: shareOf(tried) <= shareOf(active) ? 'better' : 'worse', message };
}

/** The last calls of one version, and whether too many of them failed. */
export class Health {
  readonly #size: number;
  readonly #last: boolean[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** The tally when there are as many calls as are looked at, else `null`. */
  note(failed: Evidence): Tally | null {
    if (failed === null) return null;
    this.#last.push(failed);
    if (this.#last.length > this.#size) this.#last.shift();
    if (this.#last.length < this.#size) return null;
    return { calls: this.#size, failures: this.#last.filter(Boolean).length };
  }
}

export function shareOf({ calls, failures }: Tally): number {
  return calls === 0 ? 0 : failures / calls;
}

export function describe({ calls, failures }: Tally): string {
  return `${failures} of ${calls} calls`;
}

function counted({ calls, failures }: Tally, failed: boolean): Tally {
  return { calls: calls + 1, failures: failures + (failed ? 1 : 0) };
}
