/** Counts by key that change by one; the key with the largest count is known at any time. */
export class Tallies {
  readonly #counts = new Map<string, number>();
  /** Count → its keys; no set is empty. */
  readonly #byCount = new Map<number, Set<string>>();
  #highest = 0;

  /** How many keys have one at least. */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  change(key: string, by: 1 | -1): void {
    const before = this.of(key);
    const count = before + by;
    this.#move(key, before, count);
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
    if (by === 1) this.#highest = Math.max(this.#highest, count);
    // The key with the largest count lost one, so the next lower count has a key.
    else if (!this.#byCount.has(this.#highest)) this.#highest--;
  }

  /** One of those that have most. */
  get most(): { readonly key: string; readonly count: number } | null {
    const [key] = this.#byCount.get(this.#highest) ?? [];
    return key === undefined ? null : { key, count: this.#highest };
  }

  #move(key: string, from: number, to: number): void {
    const old = this.#byCount.get(from);
    old?.delete(key);
    if (old?.size === 0) this.#byCount.delete(from);
    if (to === 0) return;
    const keys = this.#byCount.get(to) ?? new Set();
    this.#byCount.set(to, keys.add(key));
  }
}
