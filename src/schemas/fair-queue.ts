/**
 * What waits, by owner. The owner whose work has taken the least time comes next: slow work delays its own owner, and quick
 * work waits for at most one piece of work of each other owner.
 */
export class FairQueue<Item> {
  readonly #waiting = new Map<string, Set<Item>>();
  /** Time that each owner has had. An owner that waits for nothing saves none up. */
  readonly #spentMs = new Map<string, number>();
  #floorMs = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(owner: string, item: Item): void {
    const items = this.#waiting.get(owner) ?? new Set();
    this.#waiting.set(owner, items.add(item));
    this.#spentMs.set(owner, Math.max(this.#spentMs.get(owner) ?? 0, this.#floorMs));
    this.#size++;
  }

  next(): Item | null {
    let chosen: string | null = null;
    for (const owner of this.#waiting.keys())
      if (chosen === null || this.#spent(owner) < this.#spent(chosen)) chosen = owner;
    if (chosen === null) return null;
    this.#floorMs = this.#spent(chosen);
    const [item] = this.#waiting.get(chosen) as Set<Item>;
    this.delete(chosen, item as Item);
    return item as Item;
  }

  /** Answers whether it waited. */
  delete(owner: string, item: Item): boolean {
    const items = this.#waiting.get(owner);
    if (!items?.delete(item)) return false;
    this.#size--;
    if (items.size === 0) this.#waiting.delete(owner);
    return true;
  }

  spend(owner: string, ms: number): void {
    this.#spentMs.set(owner, this.#spent(owner) + ms);
    // An owner that has had no more than the last one chosen stands where a new owner would: forgetting it changes nothing.
    for (const [other, spent] of this.#spentMs)
      if (spent <= this.#floorMs && !this.#waiting.has(other)) this.#spentMs.delete(other);
  }

  /** Takes all that waits for one. */
  takeAll(owner: string): Item[] {
    const items = [...(this.#waiting.get(owner) ?? [])];
    for (const item of items) this.delete(owner, item);
    return items;
  }

  #spent(owner: string): number {
    return this.#spentMs.get(owner) ?? this.#floorMs;
  }
}
