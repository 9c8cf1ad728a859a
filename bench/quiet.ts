import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 40;
/** Of all cores together. */
const QUIET_SHARE = 0.15;
/** A machine that others use is never quiet. */
const PATIENCE_MS = 1_500;

/** CPU time of the whole machine since it started. */
export function busyMs(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
}

/** Waits until what the last call left to be done is done. */
export async function waitUntilQuiet(): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  const cores = cpus().length;
  let [busy, at] = [busyMs(), performance.now()];
  for (;;) {
    await delay(LOOK_MS);
    const [busyNow, now] = [busyMs(), performance.now()];
    if ((busyNow - busy) / (now - at) / cores < QUIET_SHARE || now > until) return;
    [busy, at] = [busyNow, now];
  }
}
