import type { Scale } from '../scale.ts';
import type { Stage } from '../stage.ts';

export interface CellContext {
  readonly stage: Stage;
  readonly scale: Scale;
  /** Tells how far a cell has come. */
  readonly tell: (text: string) => void;
}

/** Measures one thing; what it answers is JSON, and everything that the report says of it is made from that. */
export type Cell<Result> = (context: CellContext) => Promise<Result>;
