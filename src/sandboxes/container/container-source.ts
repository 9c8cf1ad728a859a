import type { MemoryReservation, Slot } from '../../calls/admission/admission.ts';
import type { Ending } from '../../calls/ending.ts';
import type { Container } from './container.ts';
import type { ReadyContainer } from './execution.ts';

/** A container that was there before its call. */
export interface AcquiredContainer extends ReadyContainer {
  readonly memory: MemoryReservation;
  /** `warm`: started ahead, and nobody was in it. `reused`: it has served calls before. */
  readonly kind: 'warm' | 'reused';
}

/** The containers of one plugin that are there and do nothing, as its executions need them. */
export interface ContainerSource {
  /** The container that a call of this session may have; nobody else gets it. `null`: none is there. */
  acquire(session: string | null): AcquiredContainer | null;
  /** A call goes on, in the container that it acquired or in one of its own. */
  arrived(acquired: AcquiredContainer | null): void;
  /** Takes back what a call acquired and made no use of, with its memory; answers whether it did. */
  giveBack(acquired: AcquiredContainer, slot: Slot): boolean;
  /** A call starts a container of its own, until this is disposed of: none is started ahead of calls in its place. */
  startsItsOwn(): Disposable;
  /** Takes over a container that may serve a further call, with its memory; answers whether it did. */
  reuse(container: Container, slot: Slot, session: string | null): boolean;
  /** As the sandbox promises it. */
  prewarm(size: number): Promise<number>;
  tryLoading(signal?: AbortSignal): Promise<Ending | null>;
  /** Resolves when none is left. */
  close(): Promise<void>;
}
