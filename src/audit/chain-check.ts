import { fileName, type Line } from './files.ts';
import { type FileStart, HEAD_NAME, type Head } from './head.ts';
import { MAX_LINE_BYTES, type ReadRecord, readLine } from './line.ts';
import { type AuditLink, NO_HASH } from './record.ts';
import type { AuditProblem, AuditReport } from './report.ts';

const MAX_PROBLEMS = 100;

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
  #last: Place | null = null;
  #lastIntact: Place | null = null;
  #foundExpected = false;

  constructor(head: Head | null, expected: string | undefined) {
    this.#head = head;
    this.#expected = expected;
  }

  get hasDoubts(): boolean {
    return this.#doubts.count > 0;
  }

  /** About the file that was begun last. */
  report(message: string, line: number | null = null): void {
    const problems = this.#isBeyondHead() ? this.#doubts : this.#problems;
    problems.add({ file: this.#file, line, message });
  }

  /** Where the next file begins, if that is known. */
  beginFile(name: string, start: FileStart | null): void {
    if (start !== null) this.#reach(name, start);
    this.#file = name;
    this.#line = 0;
  }

  countFile(): void {
    this.#files++;
  }

  takeLine({ bytes, ended }: Line): void {
    this.#line++;
    const reading = bytes === null ? TOO_LONG : readLine(bytes);
    if (reading.ok) {
      if (!ended) this.#reportLine('lacks its line feed');
      this.#takeRecord(reading);
    } else this.#reportLine(ended ? `is no record: ${reading.fault}` : `is unfinished: ${reading.fault}`);
  }

  end(): void {
    const last = this.#last?.seq ?? 0;
    if (this.#head === null || last >= this.#head.seq) return;
    this.#file = fileName(this.#head.file);
    this.#line = 0;
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

  #takeRecord({ link, body, hash, intact }: ReadRecord): void {
    this.#records++;
    this.#firstSeq ??= link.seq;
    if (!intact) {
      this.#reportLine('was changed: it is not what its hash was made of');
      // What it says of its own place is not to be believed either.
      this.#last = { seq: this.#last === null ? link.seq : this.#last.seq + 1, hash };
      return;
    }
    if (hash === this.#expected || link.prev === this.#expected) this.#foundExpected = true;
    if (body.kind === 'recovered' && body.what === 'head_missing')
      this.#reportLine('says that the head was missing: what was cut off before it cannot be known');
    this.#follow(link, hash);
  }

  #isBeyondHead(): boolean {
    return this.#head !== null && this.#last !== null && this.#last.seq >= this.#head.seq;
  }

  #reportLine(message: string): void {
    this.report(message, this.#line);
  }

  /** Compares where a file should begin with how far the chain has come. */
  #reach(name: string, { firstSeq, firstPrev }: FileStart): void {
    const last = this.#last;
    if (last !== null && last.seq + 1 < firstSeq)
      this.report(`lacks its end: ${records(last.seq + 1, firstSeq - 1)} missing`);
    if (last === null || last.seq + 1 < firstSeq) this.#last = { seq: firstSeq - 1, hash: firstPrev };
    else if (last.seq + 1 !== firstSeq || last.hash !== firstPrev)
      this.#problems.add({
        file: name,
        line: null,
        message: `does not begin where ${HEAD_NAME} says, with record ${firstSeq}`,
      });
  }

  #follow({ seq, prev }: AuditLink, hash: string): void {
    const last = this.#last ?? { seq: seq - 1, hash: seq === 1 ? NO_HASH : prev };
    if (seq <= last.seq) {
      this.#reportLine(`is out of order: record ${seq} stands after record ${last.seq}`);
      return;
    }
    if (seq > last.seq + 1)
      this.#reportLine(`comes too early: ${records(last.seq + 1, seq - 1)} missing before it`);
    else if (prev !== last.hash)
      this.#reportLine('does not follow the record before it: one of the two was replaced');
    if (seq === this.#head?.seq && hash !== this.#head.hash)
      this.#reportLine(`is not the record that ${HEAD_NAME} knows as the last one`);
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
