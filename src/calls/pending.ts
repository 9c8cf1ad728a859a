/** Counts what is under way, so that closing can wait for its end. */
export class Pending {
  #count = 0;
  #settled: PromiseWithResolvers<void> | null = null;

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count > 0) return;
    this.#settled?.resolve();
    this.#settled = null;
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    this.#settled ??= Promise.withResolvers<void>();
    return this.#settled.promise;
  }
}
