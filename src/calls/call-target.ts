import type { MemoryReservation, Slot } from './admission/admission.ts';
import type { Call } from './call.ts';
import type { Ending } from './ending.ts';
import type { LogBook } from './logs.ts';
import type { Usage } from './result.ts';

/** What runs the calls of one plugin version: containers today. It knows nothing of who may call, and in which turn. */
export interface CallTarget {
  /** For one call, before anything is done for it. */
  open(call: Call): CallRun;
}

/** One call, as what runs it sees it. The steps come in this order. */
export interface CallRun {
  /** What may take minutes, and is done while the call has no slot; `null`: nothing is to be done. */
  prepare(): Promise<unknown> | null;
  /** In the turn of the call: takes something that is there and does nothing. Its memory is the call's from now on. */
  acquire(): MemoryReservation | null;
  /** With a slot: whether what was prepared is still there. */
  isPrepared(): true | Promise<boolean>;
  /** The call does not run: what it acquired waits for the next one. */
  giveBack(slot: Slot): Promise<void>;
  /** Runs the call. What was acquired is used, or ended, whatever happens. */
  start(slot: Slot, judged: Promise<void> | null): RunningCall | Promise<RunningCall>;
}

/** One call that runs. */
export interface RunningCall {
  readonly logs: LogBook;
  /** Settles once, and never rejects. */
  readonly ending: Promise<Ending>;
  /** What was measured; settles soon after the ending. */
  readonly usage: Promise<Usage>;
  /** Resolves when nothing of the call is left, or somebody else has it. Never rejects. */
  readonly removed: Promise<void>;
  /** For the result. */
  readonly metadata: Readonly<Record<string, unknown>>;
}
