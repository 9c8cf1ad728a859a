import type { Database } from '../../storage/database.ts';
import type { Statistics } from './record.ts';

/** Calls that are counted and not written yet, by version. */
export class CallCounter {
  #counted = new Map<number, Statistics>();

  count(versionId: number, { success, ms, at }: { success: boolean; ms: number; at: string }): void {
    const before = this.#counted.get(versionId);
    this.#counted.set(versionId, {
      calls: (before?.calls ?? 0) + 1,
      failures: (before?.failures ?? 0) + (success ? 0 : 1),
      totalMs: (before?.totalMs ?? 0) + ms,
      lastCallAt: at,
    });
  }

  /** Those versions that are counted. */
  get versionIds(): readonly number[] {
    return [...this.#counted.keys()];
  }

  /** Adds them to what is stored. */
  write(database: Database): void {
    for (const [id, { calls, failures, totalMs, lastCallAt }] of this.#counted)
      database.run(ADD, calls, failures, totalMs, lastCallAt, id);
  }

  /** What was written need not be written again. */
  clear(): void {
    this.#counted.clear();
  }
}

const ADD =
  'UPDATE statistics SET calls = calls + ?, failures = failures + ?, total_ms = total_ms + ?, last_call_at = ? WHERE version_id = ?';
