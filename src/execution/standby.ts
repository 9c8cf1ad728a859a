import type { Hold, Place } from '../admission/admission.ts';
import type { ReadySandbox } from './execution.ts';
import type { Sandbox } from './sandbox.ts';

/** A container that was there before its call. */
export interface Claimed {
  readonly ready: ReadySandbox;
  readonly hold: Hold;
  /** `warm`: started ahead, and nobody was in it. `kept`: it has served calls before. */
  readonly kind: 'warm' | 'kept';
}

/** The containers of one plugin that are there and do nothing, as its executions need them. */
export interface Standby {
  /** A call goes on to a fresh container: to the one that it claimed, or to one of its own. */
  arrived(claimed?: Claimed | null): void;
  /** A call starts a container of its own, until this is disposed of: none is started ahead of calls in its place. */
  startsItsOwn(): Disposable;
  /** The container that a call of this session may have; nobody else gets it. `null`: none is there. */
  claim(session: string | null): Claimed | null;
  /** Takes over a container that may serve again, with its memory; answers whether it did. */
  keep(sandbox: Sandbox, place: Place, session: string | null): boolean;
  /**
   * Takes back what a call claimed and made no use of, with its memory, as if nobody had claimed it; answers whether it did.
   */
  giveBack(claimed: Claimed, place: Place, session: string | null): boolean;
  /** Resolves when none is left. */
  close(): Promise<void>;
}
