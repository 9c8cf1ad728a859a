/** The numbers of a full line, for a call of one plugin. */
export interface FullLine {
  readonly waiting: number;
  /** Of these, calls of this plugin. */
  readonly ofPlugin: number;
  /** How many plugins have a call that waits or runs, this one included. */
  readonly plugins: number;
  /** How many calls of each of them may wait where all of them want to. */
  readonly share: number;
}

export type Refusal =
  | ({ readonly kind: 'full' } & FullLine)
  /** It waited, and lost its room to a plugin with fewer waiting calls. */
  | ({ readonly kind: 'gave way' } & FullLine)
  | {
      readonly kind: 'too large';
      readonly what: 'memory' | 'cpu';
      readonly asked: number;
      readonly ceiling: number;
    };

/** Why a call may not wait, or not any longer. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`No slot for this call: ${refusal.kind}`);
    this.refusal = refusal;
  }
}
