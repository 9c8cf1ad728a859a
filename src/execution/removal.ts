import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerEngine } from '../engine/engine.ts';
import type { Logger } from '../logger.ts';

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

/** Removes a container and then its network. Never rejects: what cannot be removed is reported and left to `prune`. */
export async function removeSandbox({ engine, container, network, logger }: Removal): Promise<void> {
  await untilDone(() => engine.removeContainer(container), { name: container, logger });
  if (network !== null) await untilDone(() => engine.removeNetwork(network), { name: network, logger });
}

async function untilDone(
  remove: () => Promise<void>,
  { name, logger }: { name: string; logger: Logger },
): Promise<void> {
  for (let tries = 1; tries <= TRIES; tries++) {
    try {
      return await remove();
    } catch (error) {
      if (tries === TRIES)
        logger.error({ err: error, name }, 'could not remove it; `lurkbox prune` can later');
      else await delay(PAUSE_MS * tries);
    }
  }
}
