import type { SchemaText } from './schema-text.ts';

/** Which schemas a process has compiled, least used first: what it knows need not be sent again, and is bounded from here. */
export class CompiledSchemas {
  readonly #maxChars: number;
  readonly #known = new Map<string, number>();
  #chars = 0;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** Answers whether the process knows it already; from now on it does. */
  use({ id, json }: SchemaText): boolean {
    const isKnown = this.#known.delete(id);
    this.#known.set(id, json.length);
    if (!isKnown) this.#chars += json.length;
    return isKnown;
  }

  /** Answers their ids. */
  forget(schemas: readonly SchemaText[]): string[] {
    for (const { id, json } of schemas) if (this.#known.delete(id)) this.#chars -= json.length;
    return schemas.map(({ id }) => id);
  }

  /** Forgets what is over the bound; the ids of that. */
  shrink(): string[] {
    const forgotten: string[] = [];
    for (const [id, chars] of this.#known) {
      if (this.#chars <= this.#maxChars) break;
      this.#known.delete(id);
      this.#chars -= chars;
      forgotten.push(id);
    }
    return forgotten;
  }
}
