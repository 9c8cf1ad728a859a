import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerEngine } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';

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

export interface ContainerRemovalOptions {
  readonly engine: ContainerEngine;
  readonly grant: Pick<Grant, 'network'>;
  readonly logger: Logger;
  /** Told when something may be left, or may still come. */
  readonly onSuspicion: () => void;
}

/** The removal of one container. */
export class ContainerRemoval {
  /** How the engine is asked for it, once something may be there: by its name until its id is known. */
  reference: string | null = null;
  /** Nobody knows what became of something that the engine was asked for. */
  isUncertain = false;
  readonly #options: ContainerRemovalOptions;
  /** Of the container, and of its network where it has one of its own. */
  readonly #name: string;
  #removed: Promise<void> | undefined;

  constructor(options: ContainerRemovalOptions, name: string) {
    this.#options = options;
    this.#name = name;
  }

  /** Resolves when it is gone, or when everything was tried to that end. Fine to call twice, and never rejects. */
  async begin(): Promise<void> {
    if (this.reference === null) return;
    this.#removed ??= this.#remove(this.reference);
    await this.#removed;
  }

  async #remove(container: string): Promise<void> {
    const { engine, grant, logger, onSuspicion } = this.#options;
    const network = grant.network === 'bridge' ? this.#name : null;
    const isGone = await removeSandbox({ engine, container, network, logger });
    if (!isGone || this.isUncertain) onSuspicion();
  }
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
