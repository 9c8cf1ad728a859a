import type { MemoryReservation, Slot } from '../../calls/admission/admission.ts';
import type { Sandbox } from './container.ts';
import type { ReadySandbox } from './execution.ts';

/** A container that was there before its call. */
export interface AcquiredContainer {
  readonly ready: ReadySandbox;
  readonly memory: MemoryReservation;
  /** `warm`: started ahead, and nobody was in it. `reused`: it has served calls before. */
  readonly kind: 'warm' | 'reused';
}

/** The containers of one plugin that are there and do nothing, as its executions need them. */
export interface ContainerSource {
  /** A call goes on to a fresh container: to the one that it acquired, or to one of its own. */
  arrived(acquired?: AcquiredContainer | null): void;
  /** A call starts a container of its own, until this is disposed of: none is started ahead of calls in its place. */
  startsItsOwn(): Disposable;
  /** The container that a call of this session may have; nobody else gets it. `null`: none is there. */
  acquire(session: string | null): AcquiredContainer | null;
  /** Takes over a container that may serve again, with its memory; answers whether it did. */
  keep(sandbox: Sandbox, slot: Slot, session: string | null): boolean;
  /**
   * Takes back what a call acquired and made no use of, with its memory, as if nobody had acquired it; answers whether it did.
   */
  giveBack(acquired: AcquiredContainer, slot: Slot, session: string | null): boolean;
  /** Resolves when none is left. */
  close(): Promise<void>;
}
