export interface AuditProblem {
  /** Name of a file in the folder; `null` where it is about the log as a whole. */
  readonly file: string | null;
  /** From 1 on; `null` where it is about the file as a whole. */
  readonly line: number | null;
  readonly message: string;
}

export interface AuditReport {
  /** Whether no problem was found. */
  readonly ok: boolean;
  /** How many were read, changed ones included. */
  readonly records: number;
  readonly files: number;
  /** Of the oldest record that is kept; `null` when there is none. */
  readonly firstSeq: number | null;
  /** Of the last record that is as it was written. */
  readonly lastSeq: number | null;
  /** Its hash. Kept elsewhere and given as `expect` later, it proves that everything up to that record is what it was. */
  readonly lastHash: string | null;
  /** The first 100. */
  readonly problems: readonly AuditProblem[];
  readonly problemsLeftOut: number;
}
