import { type Ending, endingOfError, endingOfExit, failed, lost } from '../../calls/ending.ts';
import type { ContainerPlan } from './container-plan.ts';

/** Node in a container is up within a second; a host that needs this long is not going to make it. */
export const BOOT_DEADLINE_MS = 30_000;
/** How long a container may take to end after its stream broke; the end of its input makes the runner leave. */
const UNHEARD_MS = 5_000;
/** How long the engine may take to tell that a container has ended whose streams have. */
const EXIT_MS = 1_000;

/** What this side has seen of a container whose output is over. */
export interface SeenOfEnd {
  /** As the plugin's stderr says. */
  readonly heapWasFull: boolean;
  /** The connection broke, and did not just end. */
  readonly streamBroke: boolean;
  /** It broke in a way that the plugin cannot bring about by leaving its input unread. */
  readonly wasCut: boolean;
  /** Code of the plugin may have run. */
  readonly hasRun: boolean;
  /** Whether nobody waits for an answer. */
  readonly isIdle: () => boolean;
}

/** The output of a container is over: asks the engine why, until it ends or the signal aborts. Never rejects. */
export async function findEnding(
  id: string,
  { engine, grant }: Pick<ContainerPlan, 'engine' | 'grant'>,
  { seen, signal }: { readonly seen: SeenOfEnd; readonly signal: AbortSignal },
): Promise<Ending> {
  try {
    await engine.waitContainer(id, { signal, deadlineMs: deadlineMs(seen, grant.timeoutMs) });
    const exit = await engine.containerExit(id, { isInDoubt: seen.streamBroke });
    return endingOfExit(exit, grant.memoryBytes, seen);
  } catch (error) {
    return toLost(endingOfError(error), seen);
  }
}

/** The engine may have done all the same what it was asked, or forget what it did: one that stops brings networks back. */
export function isWithoutAnswer({ outcome }: Ending): boolean {
  return outcome === 'ENGINE_TIMEOUT' || outcome === 'ENGINE_LOST';
}

/**
 * A plugin may close its output and run on; the deadline of the execution ends that, not one of this call. What runs on
 * when the stream broke can never answer, and what nobody calls serves nobody any more.
 */
function deadlineMs({ isIdle, streamBroke }: SeenOfEnd, timeoutMs: number): number {
  if (isIdle()) return EXIT_MS;
  return streamBroke ? UNHEARD_MS : BOOT_DEADLINE_MS + timeoutMs;
}

/** An engine that answered before and does not any more was lost, not unavailable. */
function toLost(ending: Ending, { wasCut, streamBroke, hasRun, isIdle }: SeenOfEnd): Ending {
  if (ending.outcome === 'ENGINE_UNAVAILABLE')
    return failed('ENGINE_LOST', ending.error.message.replace(/\.$/, ''));
  if (ending.outcome !== 'ENGINE_TIMEOUT') return ending;
  if (wasCut) return lost();
  if (!streamBroke && !isIdle()) return ending;
  // Somebody may have restarted it; a plugin can close its output at any time.
  return failed(
    hasRun ? 'PLUGIN_CRASHED' : 'ENGINE_LOST',
    'The output of the container is over and it runs on: the plugin closed it, or somebody restarted the container',
  );
}
