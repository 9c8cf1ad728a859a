import pLimit from 'p-limit';
import type { ContainerEngine } from '../../engine/engine.ts';
import { LABELS } from '../../labels.ts';
import { type Identity, isOwnerDead } from './identity.ts';

/** Longer than anything of a living orchestrator waits to be started, or a network for its container. */
const ANOTHER_BOOT_AGE_MS = 10 * 60_000;

/** Anybody may make containers that look like these, by the thousand; each removal takes a connection. */
const REMOVALS_AT_ONCE = 16;

export interface PruneOptions {
  /** Only what this process made, as `ownProcess` writes it. @default what any process made */
  readonly of?: string;
  /** Of what this orchestrator made, only what belongs to no such execution is left. @default all of it is live */
  readonly isLive?: (executionId: string) => boolean;
}

export interface Pruned {
  /** Names of removed containers. */
  readonly containers: readonly string[];
  readonly networks: readonly string[];
}

/**
 * Removes what dead orchestrators of this machine left in the engine: containers first, then networks, which cannot go
 * while a container is on them. Nothing of a living or foreign orchestrator, and nothing that lurkbox did not make, is touched.
 */
export async function prune(
  engine: ContainerEngine,
  self: Identity,
  { of, isLive = () => true }: PruneOptions = {},
): Promise<Pruned> {
  const isLeft = (labels: Labels): boolean =>
    (of === undefined || labels[LABELS.process] === of) &&
    (isOwnerDead(labels, self) || isLeftByUs(labels, self, isLive));
  const containers = (await engine.listContainers(`${LABELS.kind}=container`)).filter(
    (container) => isLeft(container.labels) && couldBeLeft(container, self),
  );
  const limit = pLimit(REMOVALS_AT_ONCE);
  const removals = await Promise.allSettled(
    containers.map(({ id }) => limit(() => engine.removeContainer(id))),
  );
  const networks = (await engine.listNetworks(`${LABELS.kind}=network`)).filter(
    (network) => isLeft(network.labels) && couldBeLeft(network, self),
  );
  removals.push(
    ...(await Promise.allSettled(networks.map(({ name }) => limit(() => engine.removeNetwork(name))))),
  );
  // Tries to remove everything before it throws the first failure.
  for (const removal of removals) if (removal.status === 'rejected') throw removal.reason;
  return {
    containers: containers.map(({ id, names }) => names[0] ?? id),
    networks: networks.map(({ name }) => name),
  };
}

type Labels = Readonly<Record<string, string>>;

function isLeftByUs(labels: Labels, self: Identity, isLive: (executionId: string) => boolean): boolean {
  const { [LABELS.instance]: instance, [LABELS.execution]: execution } = labels;
  return instance === self.instance && execution !== undefined && !isLive(execution);
}

/**
 * A container of another boot may be of another machine: clones share a machine id and a host name, and may share an engine. No
 * container of lurkbox runs on across a boot, and none that is in use stands still for this long. An unknown age counts as zero.
 */
function couldBeLeft(
  { labels, state, createdAtMs }: { labels: Labels; state?: string; createdAtMs: number },
  self: Identity,
): boolean {
  if (labels[LABELS.boot] === self.boot) return true;
  return state !== 'running' && Date.now() - createdAtMs > ANOTHER_BOOT_AGE_MS;
}
