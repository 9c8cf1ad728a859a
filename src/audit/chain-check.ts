import { fileName, type Line } from './files.ts';
import { HEAD_NAME, type Head, type HeadState } from './head.ts';
import { MAX_LINE_BYTES, type ReadRecord, readLine } from './line.ts';
import { AUDIT_VERSION, type AuditLink, NO_HASH } from './record.ts';

const MAX_PROBLEMS = 100;

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

const TOO_LONG = {
  ok: false,
  fault: `it is longer than any of them, over ${MAX_LINE_BYTES / 1024} KiB`,
} as const;

/** Somewhere in the chain: the number and the hash of a record. */
interface Place {
  readonly seq: number;
  readonly hash: string;
}

/** Follows a chain line by line, and keeps what is wrong with it. */
export class ChainCheck {
  readonly #head: Head | null;
  readonly #expected: string | undefined;
  readonly #problems = new Problems();
  /** What follows the record that the head names. It may be somebody writing just now. */
  readonly #doubts = new Problems();
  #file = HEAD_NAME;
  #line = 0;
  #records = 0;
  #files = 0;
  #firstSeq: number | null = null;
  #last: Place | null;
  #lastIntact: Place | null = null;
  #foundExpected = false;

  constructor(state: HeadState | null, expected: string | undefined) {
    this.#head = state?.head ?? null;
    this.#last = state === null ? null : { seq: state.first.firstSeq - 1, hash: state.first.firstPrev };
    this.#expected = expected;
  }

  get hasDoubts(): boolean {
    return this.#doubts.count > 0;
  }

  /** The lines that come next, and what is reported, are of this file. */
  beginFile(name: string): void {
    this.#file = name;
    this.#line = 0;
  }

  countFile(): void {
    this.#files++;
  }

  report(message: string): void {
    const isBeyondHead = this.#head !== null && this.#last !== null && this.#last.seq >= this.#head.seq;
    const line = this.#line === 0 ? null : this.#line;
    (isBeyondHead ? this.#doubts : this.#problems).add({ file: this.#file, line, message });
  }

  takeLine({ bytes, ended }: Line): void {
    this.#line++;
    const reading = bytes === null ? TOO_LONG : readLine(bytes);
    if (reading.ok) {
      if (!ended) this.report('lacks its line feed');
      this.#takeRecord(reading);
    } else this.report(ended ? `is no record: ${reading.fault}` : `is unfinished: ${reading.fault}`);
  }

  end(): void {
    const last = this.#last?.seq ?? 0;
    if (this.#head === null || last >= this.#head.seq) return;
    this.beginFile(fileName(this.#head.file));
    this.report(`lacks its tail: ${records(last + 1, this.#head.seq)} missing at the end`);
  }

  toReport(keepDoubts: boolean): AuditReport {
    if (keepDoubts) this.#problems.addAll(this.#doubts);
    if (this.#expected !== undefined && !this.#foundExpected)
      this.#problems.add({
        file: null,
        line: null,
        message:
          'the expected hash is in no record: that record was replaced or removed, or its file was not kept',
      });
    const { list, count } = this.#problems;
    return {
      ok: count === 0,
      records: this.#records,
      files: this.#files,
      firstSeq: this.#firstSeq,
      lastSeq: this.#lastIntact?.seq ?? null,
      lastHash: this.#lastIntact?.hash ?? null,
      problems: list,
      problemsLeftOut: count - list.length,
    };
  }

  #takeRecord({ record, hash, intact }: ReadRecord): void {
    this.#records++;
    this.#firstSeq ??= record.seq;
    if (!intact) {
      this.report('was changed: it is not what its hash was made of');
      // What it says of its own place is not to be believed either.
      this.#last = { seq: this.#last === null ? record.seq : this.#last.seq + 1, hash };
      return;
    }
    if (hash === this.#expected || record.prev === this.#expected) this.#foundExpected = true;
    if (record.kind === 'recovered' && record['what'] === 'head_missing')
      this.report('says that the head was missing: what was cut off before it cannot be known');
    const mayBegin = record.kind === 'rotated' || this.#records === 1 || record.v > AUDIT_VERSION;
    if (this.#line === 1 ? !mayBegin : record.kind === 'rotated')
      this.report('stands in the wrong place: a file begins with `rotated`, and nothing else does');
    this.#follow(record, hash);
  }

  #follow({ seq, prev }: AuditLink, hash: string): void {
    const last = this.#last ?? { seq: seq - 1, hash: seq === 1 ? NO_HASH : prev };
    if (seq <= last.seq) {
      this.report(`is out of order: record ${seq} stands after record ${last.seq}`);
      return;
    }
    if (seq > last.seq + 1)
      this.report(`comes too early: ${records(last.seq + 1, seq - 1)} missing before it`);
    else if (prev !== last.hash)
      this.report('does not follow the record before it: one of the two was replaced');
    if (seq === this.#head?.seq && hash !== this.#head.hash)
      this.report(`is not the record that ${HEAD_NAME} knows as the last one`);
    this.#last = { seq, hash };
    this.#lastIntact = this.#last;
  }
}

class Problems {
  readonly list: AuditProblem[] = [];
  count = 0;

  add(problem: AuditProblem): void {
    this.count++;
    if (this.list.length < MAX_PROBLEMS) this.list.push(problem);
  }

  addAll({ list, count }: Problems): void {
    for (const problem of list) this.add(problem);
    this.count += count - list.length;
  }
}

function records(from: number, to: number): string {
  return from === to ? `record ${from} is` : `records ${from} to ${to} are`;
}
