import { EventLoopYielder } from '../../calls/event-loop-yielder.ts';
import type { ContainerStdin } from '../../engine/engine.ts';

interface WaitingRecord {
  readonly pieces: Iterable<string>;
  readonly signal: AbortSignal;
  /** When it is on its way, or never will be. */
  readonly done: () => void;
}

const DONE = Promise.resolve();
const NEVER = new AbortController().signal;

/**
 * The one writer of a container's input: whole records one after the other, no faster than they are taken. Never throws: that the
 * streams broke is told to whoever reads them.
 */
export class RecordWriter {
  readonly #stdin: ContainerStdin;
  readonly #waiting: WaitingRecord[] = [];
  #isWriting = false;
  /** Whether a record was given up in its middle: nothing that follows it could be told apart from it. */
  #isCut = false;

  constructor(stdin: ContainerStdin) {
    this.#stdin = stdin;
  }

  /** Whether somebody may hear what is written next. */
  get isOpen(): boolean {
    return !this.#isCut && this.#stdin.isWritable;
  }

  /**
   * Resolves when the record is on its way, or never will be.
   * @param record all of it, or its pieces, which are made while they are written
   * @param signal gives up what is not written yet
   */
  write(record: string | Iterable<string>, signal: AbortSignal = NEVER): Promise<void> {
    // Nearly every record is small, and finds the channel free.
    if (typeof record === 'string' && !this.#isWriting && this.isOpen && !signal.aborted) {
      if (this.#stdin.write(record)) return DONE;
      const taken = this.#stdin.drained(signal);
      this.#isWriting = true;
      void taken.then(() => this.#writeAll());
      return taken;
    }
    const pieces = typeof record === 'string' ? [record] : record;
    const { promise, resolve: done } = Promise.withResolvers<void>();
    this.#waiting.push({ pieces, signal, done });
    if (!this.#isWriting) void this.#writeAll();
    return promise;
  }

  /** Nothing is written any more; whoever reads learns of the end. */
  end(): void {
    this.#stdin.end();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const yielder = new EventLoopYielder();
      let isBegun = false;
      for (const piece of next.pieces) {
        if (next.signal.aborted || !this.isOpen) {
          this.#isCut ||= isBegun;
          break;
        }
        isBegun = true;
        if (!this.#stdin.write(piece)) await this.#stdin.drained(next.signal);
        if (yielder.isOver()) await yielder.next();
      }
      next.done();
    }
    this.#isWriting = false;
  }
}
