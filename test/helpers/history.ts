import { expect } from 'vitest';
import { OUTCOMES } from '../../src/calls/outcome.ts';
import type { PluginExecutionResult } from '../../src/index.ts';

interface Entry {
  readonly title: string;
  settles: number;
  result?: PluginExecutionResult;
  /** The result in the moment in which it came. */
  written?: string;
}

/**
 * What was invoked and how it settled, to be judged when all is over: the invocations go in while faults happen, and
 * nobody who makes the faults takes part in the judgement.
 */
export class History {
  readonly #entries: Entry[] = [];

  /** Records a call; answers its result. A call that throws counts as one that did not settle. */
  async record(
    title: string,
    call: () => Promise<PluginExecutionResult>,
  ): Promise<PluginExecutionResult | null> {
    const entry: Entry = { title, settles: 0 };
    this.#entries.push(entry);
    const settled = call().then(
      (result) => {
        entry.settles++;
        entry.result = result;
        entry.written = JSON.stringify(result);
        return result;
      },
      (error: unknown) => {
        entry.written = `threw ${String(error)}`;
        return null;
      },
    );
    return settled;
  }

  get results(): PluginExecutionResult[] {
    return this.#entries.flatMap(({ result }) => result ?? []);
  }

  /** How often each outcome came. */
  count(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { outcome } of this.results) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  /** P1: every invocation has exactly one settle, with an outcome of the closed set, and nothing changed it later. */
  check(): void {
    const faults = this.#entries.flatMap((entry) =>
      faultsOf(entry).map((fault) => `${entry.title}: ${fault}`),
    );
    const ids = this.results.map(({ executionId }) => executionId);
    if (new Set(ids).size !== ids.length) faults.push('two executions have one id');
    expect(faults).toEqual([]);
  }
}

function faultsOf({ settles, result, written }: Entry): string[] {
  if (result === undefined) return [`did not settle (${written ?? 'no answer'})`];
  const { outcome, success, error } = result;
  return [
    ...(settles === 1 ? [] : [`settled ${settles} times`]),
    ...(Object.hasOwn(OUTCOMES, outcome) ? [] : [`\`${outcome}\` is no outcome`]),
    ...(success === (outcome === 'OK') && success === (error === null) ? [] : ['contradicts itself']),
    ...(error === null || /\w/.test(error.message) ? [] : ['says nothing']),
    ...(JSON.stringify(result) === written ? [] : ['was changed after it had settled']),
  ];
}
