import { LinkedSet } from './linked-set.ts';

/**
 * The calls that wait. Those in line are served by turns: first come, first served among the calls of one plugin, and of the
 * plugins the one first whose last turn is longest ago. The others wait for something else first, the turn of their session.
 */
export class WaitingLine<Call extends object> {
  /** In the order of their last turns. A plugin of which no call is in line is not among them. */
  readonly #inLine = new Map<string, LinkedSet<Call>>();
  /** All waiting calls, by plugin. */
  readonly #waiting = new Map<string, LinkedSet<Call>>();
  /** When each plugin had its last turn, in turns. */
  readonly #lastTurns = new Map<string, number>();
  #turn = 0;
  #size = 0;

  /** How many wait, in line or not. */
  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#inLine.size === 0;
  }

  add(plugin: string, call: Call): void {
    addTo(this.#waiting, plugin, call);
    this.#size++;
  }

  /** A call that waits, to the end of the line of its plugin. */
  join(plugin: string, call: Call): void {
    const isNew = !this.#inLine.has(plugin);
    addTo(this.#inLine, plugin, call);
    if (!isNew) return;
    const last = this.#lastTurnOf(plugin);
    for (const other of [...this.#inLine.keys()]) if (this.#lastTurnOf(other) > last) this.#moveToEnd(other);
  }

  remove(plugin: string, call: Call): void {
    deleteFrom(this.#inLine, plugin, call);
    if (deleteFrom(this.#waiting, plugin, call)) this.#size--;
  }

  /** The others have their turns before this one has its next, whether it is in line now or comes later. */
  passTurn(plugin: string): void {
    this.#lastTurns.set(plugin, ++this.#turn);
    this.#moveToEnd(plugin);
  }

  #lastTurnOf(plugin: string): number {
    return this.#lastTurns.get(plugin) ?? 0;
  }

  #moveToEnd(plugin: string): void {
    const calls = this.#inLine.get(plugin);
    if (calls !== undefined && this.#inLine.delete(plugin)) this.#inLine.set(plugin, calls);
  }

  /** Whose turn it is. */
  get first(): Call | null {
    const [calls] = this.#inLine.values();
    return calls?.first ?? null;
  }

  /** Whose turn it is among the plugins that fit. */
  firstOf(fits: (plugin: string) => boolean): Call | null {
    for (const [plugin, calls] of this.#inLine) if (fits(plugin)) return calls.first;
    return null;
  }

  /** The call of a plugin that has waited least. */
  newestOf(plugin: string): Call | null {
    return this.#waiting.get(plugin)?.last ?? null;
  }

  /** How many of a plugin wait. */
  sizeOf(plugin: string): number {
    return this.#waiting.get(plugin)?.size ?? 0;
  }

  *[Symbol.iterator](): Generator<Call> {
    for (const calls of this.#waiting.values()) yield* calls;
  }
}

function addTo<Call>(all: Map<string, LinkedSet<Call>>, plugin: string, call: Call): void {
  const calls = all.get(plugin) ?? new LinkedSet();
  calls.add(call);
  all.set(plugin, calls);
}

function deleteFrom<Call>(all: Map<string, LinkedSet<Call>>, plugin: string, call: Call): boolean {
  const calls = all.get(plugin);
  if (calls === undefined || !calls.delete(call)) return false;
  if (calls.size === 0) all.delete(plugin);
  return true;
}
