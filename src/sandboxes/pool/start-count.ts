/** Containers in which Node is not up yet: those that are started ahead, and those of calls that found none waiting. */
export class StartCount {
  readonly #atOnce: number;
  readonly #onChange: () => void;
  readonly #starts = { ahead: 0, own: 0 };

  /** `atOnce`: how many are started at once, those of calls included; calls are never held up by it. */
  constructor(atOnce: number, onChange: () => void) {
    this.#atOnce = atOnce;
    this.#onChange = onChange;
  }

  /** However many calls of one plugin start containers of their own, one can be started ahead beside them. */
  get mayStart(): boolean {
    return this.#starts.ahead + Math.min(this.#starts.own, this.#atOnce - 1) < this.#atOnce;
  }

  /** Until it is disposed of, which is done once. */
  begin(kind: 'ahead' | 'own'): Disposable {
    this.#starts[kind]++;
    return {
      [Symbol.dispose]: () => {
        this.#starts[kind]--;
        this.#onChange();
      },
    };
  }
}
