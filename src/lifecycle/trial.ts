import { FAULT_OF, type Outcome } from '../execution/outcome.ts';
import type { Canary, Tally } from '../registry/record.ts';

/** Whether the plugin failed; `null` where the outcome says nothing about it. */
export function failedThroughPlugin(outcome: Outcome): boolean | null {
  if (outcome === 'OK') return false;
  return FAULT_OF[outcome] === 'plugin' ? true : null;
}

export interface Verdict {
  readonly kind: 'undecided' | 'better' | 'worse';
  readonly message: string;
}

/** The trial with one more call in it. */
export function countTrialCall(trial: Canary, versionId: number, outcome: Outcome): Canary {
  const failed = failedThroughPlugin(outcome);
  if (failed === null) return trial;
  return versionId === trial.versionId
    ? { ...trial, tried: counted(trial.tried, failed) }
    : { ...trial, active: counted(trial.active, failed) };
}

/** It has to be as good: a larger share of failures than the active one has at the same time is too many. */
export function judgeTrial({ calls, tried, active }: Canary): Verdict {
  const message = `${describe(tried)} of the new version failed, ${describe(active)} of the active one`;
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
  note(outcome: Outcome): Tally | null {
    const failed = failedThroughPlugin(outcome);
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
