import type { ContainerEngine } from '../engine/engine.ts';
import type { Grant } from '../policy/grant.ts';

/** A container that has ended by itself and in order, and can be started again: with nothing of what ran in it. */
export interface FinishedContainer {
  readonly engine: ContainerEngine;
  readonly id: string;
  /** Both are those of the execution that it was made for. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Everything else that it was made from. */
  readonly key: string;
  readonly madeAt: number;
  /** How often it was started. */
  readonly starts: number;
}

/** Finished containers of one plugin, until one is started again. */
export interface FinishedContainers {
  /** One that was made from the same; nobody else gets it. `null`: none is there. */
  take(key: string): FinishedContainer | null;
  /** Whether `put` would take it. */
  wants(container: FinishedContainer): boolean;
  /** Takes it over; answers whether it did. */
  put(container: FinishedContainer): boolean;
  /** What was taken cannot be used: has it removed. */
  discard(container: FinishedContainer): void;
  /** What was taken is no more. */
  forget(container: FinishedContainer): void;
}

/**
 * Whether a container has nothing to keep when its processes have ended: its root is read-only, its other files are in
 * memory that goes with its mounts, and what else it can reach is its own namespaces.
 */
export function endsWithoutTrace({ isolation, network, mounts, runtime }: Grant): boolean {
  // Of the runtimes that a policy can name it was not tried.
  return isolation.mode === 'execution' && network === 'none' && mounts.length === 0 && runtime === null;
}
