/** How much of each cell is measured. */
export interface Scale {
  readonly cold: { readonly rounds: number };
  readonly warm: { readonly rounds: number; readonly callsPerRound: number };
  readonly sustained: { readonly rounds: number; readonly windowMs: number };
  readonly burst: { readonly rounds: number; readonly calls: number };
  readonly ten: { readonly rounds: number };
  readonly duration: { readonly rounds: number };
  readonly memory: { readonly containers: number; readonly settleMs: number };
  readonly queue: { readonly batches: number; readonly calls: number };
  readonly registered: {
    readonly rounds: number;
    readonly plugins: number;
    readonly keptCallsPerRound: number;
  };
  readonly schemas: { readonly rounds: number; readonly callsPerRound: number };
  readonly reuse: { readonly rounds: number; readonly windowMs: number };
  readonly stages: { readonly rounds: number; readonly calls: number };
  readonly loading: { readonly rounds: number };
}

/** About thirteen minutes on two quiet cores. */
export const FULL: Scale = {
  cold: { rounds: 20 },
  warm: { rounds: 30, callsPerRound: 10 },
  sustained: { rounds: 3, windowMs: 2_500 },
  burst: { rounds: 3, calls: 50 },
  ten: { rounds: 5 },
  duration: { rounds: 8 },
  memory: { containers: 50, settleMs: 5_000 },
  queue: { batches: 3, calls: 1_000 },
  registered: { rounds: 20, plugins: 1_000, keptCallsPerRound: 50 },
  schemas: { rounds: 20, callsPerRound: 50 },
  reuse: { rounds: 3, windowMs: 2_000 },
  stages: { rounds: 5, calls: 5 },
  loading: { rounds: 30 },
};

/** Everything once or twice: whether it works, and figures that say little. */
export const QUICK: Scale = {
  cold: { rounds: 2 },
  warm: { rounds: 2, callsPerRound: 5 },
  sustained: { rounds: 1, windowMs: 300 },
  burst: { rounds: 1, calls: 10 },
  ten: { rounds: 1 },
  duration: { rounds: 1 },
  memory: { containers: 10, settleMs: 1_000 },
  queue: { batches: 2, calls: 1_000 },
  registered: { rounds: 2, plugins: 1_000, keptCallsPerRound: 50 },
  schemas: { rounds: 2, callsPerRound: 50 },
  reuse: { rounds: 1, windowMs: 500 },
  stages: { rounds: 1, calls: 2 },
  loading: { rounds: 2 },
};
