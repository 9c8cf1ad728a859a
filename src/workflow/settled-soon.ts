import type { PluginExecutionResult } from '../calls/result.ts';

/** Milliseconds to wait for a cancelled execution, which settles at once where nothing is wrong. */
const SETTLE_MS = 1_000;

/** What the execution answers; `null` when it does not, a while after it was told to end. */
export async function settledSoon(
  execution: Promise<PluginExecutionResult>,
  signal: AbortSignal,
): Promise<PluginExecutionResult | null> {
  const { promise: tooLate, resolve } = Promise.withResolvers<null>();
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    timer = setTimeout(resolve, SETTLE_MS, null);
  };
  signal.addEventListener('abort', wait, { once: true });
  if (signal.aborted) wait();
  try {
    return await Promise.race([execution, tooLate]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', wait);
  }
}
