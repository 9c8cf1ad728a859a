interface Node<Item> {
  readonly item: Item;
  before: Node<Item> | null;
  after: Node<Item> | null;
}

/** Items in the order in which they were added. Unlike a `Set` it knows its last one, and finds its first one in constant time. */
export class LinkedSet<Item> {
  readonly #nodes = new Map<Item, Node<Item>>();
  #first: Node<Item> | null = null;
  #last: Node<Item> | null = null;

  get size(): number {
    return this.#nodes.size;
  }

  get first(): Item | null {
    return this.#first?.item ?? null;
  }

  get last(): Item | null {
    return this.#last?.item ?? null;
  }

  /** For an item that is not in it. */
  add(item: Item): void {
    const node: Node<Item> = { item, before: this.#last, after: null };
    if (this.#last === null) this.#first = node;
    else this.#last.after = node;
    this.#last = node;
    this.#nodes.set(item, node);
  }

  delete(item: Item): boolean {
    const node = this.#nodes.get(item);
    if (node === undefined) return false;
    this.#nodes.delete(item);
    if (node.before === null) this.#first = node.after;
    else node.before.after = node.after;
    if (node.after === null) this.#last = node.before;
    else node.after.before = node.before;
    return true;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let node = this.#first; node !== null; node = node.after) yield node.item;
  }
}
