/**
 * What waits, by who it is for. Next is always the one whose work has taken the least time: who takes long waits long, and
 * who takes no time waits for one piece of work of the others at most.
 */
export class FairQueue<Item> {
  readonly #waiting = new Map<string, Set<Item>>();
  /** What each has had; nobody saves up while it wants nothing. */
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
    // Who has had no more than the one that was next is where a new one is.
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
