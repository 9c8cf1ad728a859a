/** Asks for a number of containers of a plugin to wait; it replaces the number that was asked for before. */
export type Prewarm = (plugin: string, size: number) => Promise<unknown>;

/** Which steps come soon, and with that how many containers of each plugin should wait. */
export class Forecast {
  readonly #prewarm: Prewarm;
  readonly #soon = new Map<string, Set<string>>();

  constructor(prewarm: Prewarm) {
    this.#prewarm = prewarm;
  }

  expect(step: string, plugin: string): void {
    const steps = this.#soon.get(plugin) ?? new Set();
    this.#soon.set(plugin, steps);
    if (steps.has(step)) return;
    steps.add(step);
    this.#tell(plugin, steps.size);
  }

  /** It has come, or will not. */
  forget(step: string, plugin: string): void {
    const steps = this.#soon.get(plugin);
    if (steps?.delete(step)) this.#tell(plugin, steps.size);
  }

  /** A call that finds none waiting starts its own, so that a prewarming that fails harms nobody. */
  #tell(plugin: string, size: number): void {
    void (async () => this.#prewarm(plugin, size))().catch(() => {});
  }
}
