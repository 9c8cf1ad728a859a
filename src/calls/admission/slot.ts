import type { Needs } from './usage.ts';

export interface AdmissionRequest extends Needs {
  /** The plugin whose turn and share this is. */
  readonly plugin: string;
  /** The calls of one plugin and one session come in one after the other. @default none */
  readonly session?: string | null;
  readonly signal?: AbortSignal | undefined;
  /** Asked when it is this call's turn: memory of an idle container that the call then needs no more of. */
  readonly acquire?: () => MemoryReservation | null;
}

/** Memory of a container that is there and does nothing. */
export interface MemoryReservation {
  readonly memoryBytes: number;
  /** Fine to call twice. */
  release(): void;
}

export interface Slot extends Disposable {
  /** Fine to call twice. */
  release(): void;
  /** Gives up the slot and keeps its memory, in one step: whoever waits is let in after `use`, and may acquire it. */
  keepMemory(use: (memory: MemoryReservation) => void): void;
}
