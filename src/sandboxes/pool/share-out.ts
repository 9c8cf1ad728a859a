/** How many of the waiting containers one plugin wants. */
export interface Wish {
  readonly memoryBytes: number;
  /** Number that was asked for explicitly. */
  readonly firm: number;
  /** How many it should have, if there were room for all; `firm` at least. */
  readonly target: number;
  /** What the container number `size` is worth for each byte of its memory. */
  gain(size: number): number;
}

export interface Room {
  readonly count: number;
  readonly bytes: number;
}

/** The next container that one plugin would have. */
interface Bid<Key> {
  readonly key: Key;
  readonly wish: Wish;
  /** Where two gain the same, the earlier wish wins. */
  readonly rank: number;
  readonly gain: number;
}

/**
 * Divides the room: first what was asked for explicitly, in the order of the wishes; then one container at a time to the plugin that
 * gains most by it. Each gain is computed once for each container.
 */
export function shareOut<Key>(wishes: ReadonlyMap<Key, Wish>, room: Room): Map<Key, number> {
  const shares = new Map<Key, number>();
  let { count, bytes } = room;
  const give = (key: Key, { memoryBytes }: Wish): boolean => {
    if (count <= 0 || memoryBytes > bytes) return false;
    count--;
    bytes -= memoryBytes;
    shares.set(key, (shares.get(key) ?? 0) + 1);
    return true;
  };
  for (const [key, wish] of wishes) {
    shares.set(key, 0);
    for (let size = 0; size < wish.firm && give(key, wish); size++);
  }
  if (count <= 0) return shares;
  const toBid = (key: Key, wish: Wish, rank: number): Bid<Key>[] => {
    const size = shares.get(key) ?? 0;
    // What does not fit now will not fit any more.
    if (size >= wish.target || wish.memoryBytes > bytes) return [];
    return [{ key, wish, rank, gain: wish.gain(size + 1) }];
  };
  /** The best one is the last. */
  const bids = [...wishes].flatMap(([key, wish], rank) => toBid(key, wish, rank)).sort(compare);
  for (let best = bids.pop(); best !== undefined && count > 0; best = bids.pop()) {
    const { key, wish, rank } = best;
    if (give(key, wish)) for (const next of toBid(key, wish, rank)) insert(bids, next);
  }
  return shares;
}

function insert<Key>(bids: Bid<Key>[], bid: Bid<Key>): void {
  let [from, to] = [0, bids.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compare(bids[middle] as Bid<Key>, bid) < 0) from = middle + 1;
    else to = middle;
  }
  bids.splice(from, 0, bid);
}

function compare(a: Bid<unknown>, b: Bid<unknown>): number {
  return a.gain - b.gain || b.rank - a.rank;
}
