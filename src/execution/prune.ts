import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import { type Identity, isOwnerDead } from './identity.ts';

export interface Pruned {
  /** Names of removed containers. */
  readonly containers: readonly string[];
  readonly networks: readonly string[];
}

/**
 * Removes what dead orchestrators of this machine left in the engine: containers first, then networks, which cannot go
 * while a container is on them. What a living or a foreign orchestrator made, and what is not ours, is never touched.
 */
export async function prune(engine: ContainerEngine, self: Identity): Promise<Pruned> {
  const containers = (await engine.listContainers(`${LABELS.kind}=container`)).filter(
    ({ labels, state }) => isOwnerDead(labels, self) && couldBeLeft(labels, state, self),
  );
  const removals = await Promise.allSettled(containers.map(({ id }) => engine.removeContainer(id)));
  const networks = (await engine.listNetworks(`${LABELS.kind}=network`)).filter(({ labels }) =>
    isOwnerDead(labels, self),
  );
  removals.push(...(await Promise.allSettled(networks.map(({ name }) => engine.removeNetwork(name)))));
  // Everything is tried before the first failure is told.
  for (const removal of removals) if (removal.status === 'rejected') throw removal.reason;
  return {
    containers: containers.map(({ id, names }) => names[0] ?? id),
    networks: networks.map(({ name }) => name),
  };
}

// Nothing of ours runs on across a boot: what does is on an engine that several machines of one name share.
function couldBeLeft(labels: Readonly<Record<string, string>>, state: string, self: Identity): boolean {
  return labels[LABELS.boot] === self.boot || state !== 'running';
}
