import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerEngine } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';

const TRIES = 5;
const PAUSE_MS = 500;

export interface Removal {
  readonly engine: ContainerEngine;
  /** Id, or the name: a create call whose answer was lost may have made a container all the same. */
  readonly container: string;
  /** A network of the container's own, or `null`. */
  readonly network: string | null;
  readonly logger: Logger;
}

/**
 * Removes a container and then its network. Never rejects: answers whether it could, and reports what it could not,
 * which is left to the reaper.
 */
export async function removeSandbox({ engine, container, network, logger }: Removal): Promise<boolean> {
  const containerGone = await untilDone(() => engine.removeContainer(container), { name: container, logger });
  if (network === null) return containerGone;
  const networkGone = await untilDone(() => engine.removeNetwork(network), { name: network, logger });
  return containerGone && networkGone;
}

async function untilDone(
  remove: () => Promise<void>,
  { name, logger }: { name: string; logger: Logger },
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await remove();
      return true;
    } catch (error) {
      if (tries === TRIES) {
        logger.error({ err: error, name }, 'could not remove it; it is tried again later');
        return false;
      }
      await delay(PAUSE_MS * tries);
    }
  }
}
