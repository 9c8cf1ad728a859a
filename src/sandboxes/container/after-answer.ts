import { GRACE_MS } from '../../protocol/messages.ts';

/** What a plugin did after its answer, and nobody gets. */
export interface LostAfterAnswer {
  /** Work was still under way when its grace was over. */
  readonly wasCut: boolean;
  /** How long the grace is. */
  readonly graceMs: number;
  /** The process ended by itself, by an error for instance. */
  readonly hasEnded: boolean;
  /** Something was printed. */
  readonly hasPrinted: boolean;
  /** What it threw and nobody caught. */
  readonly error: string | null;
}

/** What a plugin still does when its call is settled: how long that is waited for, and what of it is lost. */
export class AfterAnswer {
  /** Nothing that was under way is waited for any more. */
  #isOver = false;
  #wake: () => void = () => {};
  #hasPrinted = false;
  #end: Pick<LostAfterAnswer, 'wasCut' | 'hasEnded' | 'error'> = {
    wasCut: false,
    hasEnded: false,
    error: null,
  };

  get isOver(): boolean {
    return this.#isOver;
  }

  notePrinted(): void {
    this.#hasPrinted = true;
  }

  /** The first end is the one that counts. */
  end({ wasCut = false, hasEnded = false, error = null }: Partial<LostAfterAnswer>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end = { wasCut, hasEnded, error };
    this.#wake();
  }

  /** Waits for the end, at most the grace and `moreMs`; makes no timer where it is over already. */
  async wait(moreMs: number): Promise<void> {
    if (this.#isOver) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, GRACE_MS + moreMs).unref();
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  /** Once nothing more can come; `null`: nothing is lost. */
  get lost(): LostAfterAnswer | null {
    const lost = { ...this.#end, graceMs: GRACE_MS, hasPrinted: this.#hasPrinted };
    return lost.wasCut || lost.hasEnded || lost.hasPrinted ? lost : null;
  }
}
