import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import { type Identity, isOwnerDead } from './identity.ts';

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
 * while a container is on them. What a living or a foreign orchestrator made, and what is not ours, is never touched.
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
    ({ labels, state }) => isLeft(labels) && couldBeLeft(labels, state, self),
  );
  const removals = await Promise.allSettled(containers.map(({ id }) => engine.removeContainer(id)));
  const networks = (await engine.listNetworks(`${LABELS.kind}=network`)).filter(({ labels }) =>
    isLeft(labels),
  );
  removals.push(...(await Promise.allSettled(networks.map(({ name }) => engine.removeNetwork(name)))));
  // Everything is tried before the first failure is told.
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

// Nothing of ours runs on across a boot: what does is on an engine that several machines of one name share.
function couldBeLeft(labels: Labels, state: string, self: Identity): boolean {
  return labels[LABELS.boot] === self.boot || state !== 'running';
}
