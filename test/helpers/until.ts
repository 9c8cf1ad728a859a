import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/** Resolves when it is so; fails with `what` when that takes longer. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  ms = 20_000,
): Promise<void> {
  for (const end = performance.now() + ms; !(await isSo()); await delay(PAUSE_MS))
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
}
