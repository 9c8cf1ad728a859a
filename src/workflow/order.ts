export interface DependencyOrder {
  /** Every name after all that it depends on; empty where there is a circle. */
  readonly order: readonly string[];
  /** The names of a circle, the first one again at its end; `null` where there is none. */
  readonly cycle: readonly string[] | null;
}

/** For names of which each says what it depends on. */
export function orderOf(dependencies: ReadonlyMap<string, readonly string[]>): DependencyOrder {
  const order = new Set<string>();
  function visit(name: string, trail: readonly string[]): string[] | null {
    if (order.has(name)) return null;
    const entry = trail.indexOf(name);
    if (entry !== -1) return [...trail.slice(entry), name];
    for (const needed of dependencies.get(name) ?? []) {
      const cycle = visit(needed, [...trail, name]);
      if (cycle !== null) return cycle;
    }
    order.add(name);
    return null;
  }
  for (const name of dependencies.keys()) {
    const cycle = visit(name, []);
    if (cycle !== null) return { order: [], cycle };
  }
  return { order: [...order], cycle: null };
}
