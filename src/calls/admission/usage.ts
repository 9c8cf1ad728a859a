import { sharedCeiling } from './reserve.ts';

/** What one container may use at most. */
export interface Needs {
  readonly memoryBytes: number;
  readonly cpuCores: number;
}

/** The ceilings of memory and CPU are over the needs of all that runs; `Infinity` is none. */
export interface Ceilings extends Needs {
  /** How many run at once. */
  readonly concurrency: number;
}

/** CPU is added up in whole numbers: 0.1 + 0.2 is more than 0.3, and what was taken could not be given back. */
const NANO = 1e9;

/** What runs, in all and of each plugin, and the ceilings over it. */
export class Usage {
  #ceilings: Ceilings;
  readonly #isShared: () => boolean;
  #running = 0;
  #memoryBytes = 0;
  #nanoCpus = 0;
  readonly #runningOf = new Map<string, number>();

  /** `isShared`: whether there is another plugin than the one that runs. */
  constructor(ceilings: Ceilings, isShared: () => boolean) {
    this.#ceilings = ceilings;
    this.#isShared = isShared;
  }

  get running(): number {
    return this.#running;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get cpuCores(): number {
    return this.#nanoCpus / NANO;
  }

  get ceilings(): Ceilings {
    return this.#ceilings;
  }

  setCeilings(needs: Needs): void {
    this.#ceilings = { ...this.#ceilings, ...needs };
  }

  runs(plugin: string): boolean {
    return this.#runningOf.has(plugin);
  }

  /** What a further call of a plugin lacks; idle containers count where they cannot give way, as `idleBytes`. */
  lacks(plugin: string, needs: Needs, idleBytes: number): 'memory' | 'slot' | null {
    const beyond = this.#beyond(needs, (ceiling) => ceiling);
    if (beyond !== null) return beyond;
    if (this.#memoryBytes + needs.memoryBytes + idleBytes > this.#ceilings.memoryBytes) return 'memory';
    const reserved = this.runs(plugin) ? this.#beyond(needs, sharedCeiling) : null;
    return reserved !== null && this.#isShared() ? reserved : null;
  }

  #beyond(
    { memoryBytes, cpuCores }: Needs,
    most: (ceiling: number, size: number) => number,
  ): 'memory' | 'slot' | null {
    const nano = toNano(cpuCores);
    if (this.#running + 1 > most(this.#ceilings.concurrency, 1)) return 'slot';
    if (this.#nanoCpus + nano > most(toNano(this.#ceilings.cpuCores), nano)) return 'slot';
    return this.#memoryBytes + memoryBytes > most(this.#ceilings.memoryBytes, memoryBytes) ? 'memory' : null;
  }

  /** Answers whether it is the first of its plugin. */
  take(plugin: string, needs: Needs): boolean {
    this.#count(needs, 1);
    const before = this.#runningOf.get(plugin) ?? 0;
    this.#runningOf.set(plugin, before + 1);
    return before === 0;
  }

  /** Answers whether it was the last of its plugin. */
  release(plugin: string, needs: Needs): boolean {
    this.#count(needs, -1);
    const left = (this.#runningOf.get(plugin) ?? 0) - 1;
    if (left > 0) this.#runningOf.set(plugin, left);
    else this.#runningOf.delete(plugin);
    return left <= 0;
  }

  #count({ memoryBytes, cpuCores }: Needs, sign: 1 | -1): void {
    this.#running += sign;
    this.#memoryBytes += sign * memoryBytes;
    this.#nanoCpus += sign * toNano(cpuCores);
  }
}

function toNano(cores: number): number {
  return Math.round(cores * NANO);
}
