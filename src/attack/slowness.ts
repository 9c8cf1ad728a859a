import type { Target } from './attack.ts';

/** What a call into a fresh container takes at most on a host that is not too busy. */
const USUAL_MS = 1_000;
export const MOST_SLOWNESS = 20;

/** How many times longer than usual a call takes, from one that did nothing. */
export function toSlowness(callMs: number): number {
  return Math.min(MOST_SLOWNESS, Math.max(1, callMs / USUAL_MS));
}

/** As long as it takes here, and never longer than the plugin is granted. */
export function scaleTimeout(timeoutMs: number, { slowness, grant }: Target): number {
  return Math.min(Math.round(timeoutMs * slowness), grant.timeoutMs);
}
