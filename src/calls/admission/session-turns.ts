/** The calls of one session come one after the other: one has the turn, and the others wait for it here. */
export class SessionTurns<Call> {
  /** The waiting calls of each session whose turn is taken, in the order in which they came. */
  readonly #waiting = new Map<string, Set<Call>>();

  /** Answers whether the turn was free; it is taken now. A call of no session needs none. */
  take(session: string | null): boolean {
    if (session === null) return true;
    if (this.#waiting.has(session)) return false;
    this.#waiting.set(session, new Set());
    return true;
  }

  /** For a turn that is taken. */
  wait(session: string | null, call: Call): void {
    if (session !== null) this.#waiting.get(session)?.add(call);
  }

  /** Answers whether the call waited here. */
  leave(session: string | null, call: Call): boolean {
    return session !== null && (this.#waiting.get(session)?.delete(call) ?? false);
  }

  /** Passes the turn to the call that has waited longest; `null`: none waits, and the turn is free. */
  pass(session: string | null): Call | null {
    if (session === null) return null;
    const [next] = this.#waiting.get(session) ?? [];
    if (next === undefined) this.#waiting.delete(session);
    else this.leave(session, next);
    return next ?? null;
  }
}
