import { LurkboxError } from '../errors.ts';

export interface BuildQueueOptions {
  /** Builds at once, of those that have not lasted for long. */
  readonly atOnce: number;
  /** A build that has lasted so long lets another one begin beside it, up to `most` in all. */
  readonly longMs: number;
  readonly most: number;
  /** How many may wait for their turn; of one plugin a quarter of them. */
  readonly maxWaiting: number;
  /** From when its turn has come. */
  readonly timeoutMs: number;
}

const BUILD_LIMITS: BuildQueueOptions = {
  atOnce: 2,
  longMs: 20_000,
  most: 8,
  maxWaiting: 200,
  timeoutMs: 6 * 60_000,
};

interface Running {
  readonly plugin: string;
  isLong: boolean;
}

interface Waiting {
  readonly plugin: string;
  readonly begin: (running: Running) => void;
}

/**
 * Turns for builds. Of one plugin one is built at a time, and the plugins take turns. A build that hangs, which its plugin can
 * make it do, delays others by `longMs` and not until its deadline.
 */
export class BuildQueue {
  readonly #options: BuildQueueOptions;
  readonly #running = new Set<Running>();
  readonly #waiting = new Set<Waiting>();
  /** Of plugins that had a turn since nothing was to do: which one. */
  readonly #lastTurns = new Map<string, number>();
  #turns = 0;

  constructor(options: BuildQueueOptions = BUILD_LIMITS) {
    this.#options = options;
  }

  /**
   * Runs the work when it is its turn; its signal aborts with the one given, and at the deadline.
   * @throws LurkboxError `HOST_RESOURCES` when too many wait, `IMAGE_BUILD_FAILED` at the deadline, or what the work throws
   */
  async run<T>(plugin: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const running = await this.#turn(plugin, signal);
    const { longMs, timeoutMs } = this.#options;
    const deadline = new AbortController();
    const ending = setTimeout(() => deadline.abort(tooLate(timeoutMs)), timeoutMs);
    const aging = setTimeout(() => {
      running.isLong = true;
      this.#next();
    }, longMs);
    try {
      return await work(AbortSignal.any([signal, deadline.signal]));
    } catch (error) {
      // A build that is interrupted throws an error of its own.
      throw deadline.signal.aborted ? deadline.signal.reason : error;
    } finally {
      clearTimeout(aging);
      clearTimeout(ending);
      this.#running.delete(running);
      this.#next();
    }
  }

  async #turn(plugin: string, signal: AbortSignal): Promise<Running> {
    signal.throwIfAborted();
    this.#assertRoom(plugin);
    const { promise, resolve, reject } = Promise.withResolvers<Running>();
    const waiting: Waiting = { plugin, begin: resolve };
    const leave = (): void => {
      if (this.#waiting.delete(waiting)) reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.add(waiting);
    this.#next();
    return promise.finally(() => signal.removeEventListener('abort', leave));
  }

  #assertRoom(plugin: string): void {
    const { maxWaiting } = this.#options;
    const own = [...this.#waiting].filter((other) => other.plugin === plugin).length;
    if (this.#waiting.size < maxWaiting && own < maxWaiting / 4) return;
    throw new LurkboxError(
      'HOST_RESOURCES',
      `${this.#waiting.size} builds of images are waiting, ${own} of them of \`${plugin}\`; call again later`,
    );
  }

  #next(): void {
    for (;;) {
      const [next] = [...this.#waiting]
        .filter(({ plugin }) => this.#mayBegin(plugin))
        .sort((a, b) => this.#turnOf(a.plugin) - this.#turnOf(b.plugin));
      if (next === undefined) break;
      this.#waiting.delete(next);
      this.#lastTurns.set(next.plugin, ++this.#turns);
      const running = { plugin: next.plugin, isLong: false };
      this.#running.add(running);
      next.begin(running);
    }
    if (this.#waiting.size + this.#running.size === 0) this.#lastTurns.clear();
  }

  #mayBegin(plugin: string): boolean {
    const running = [...this.#running];
    const { atOnce, most } = this.#options;
    return (
      running.length < most &&
      running.filter(({ isLong }) => !isLong).length < atOnce &&
      !running.some((other) => other.plugin === plugin)
    );
  }

  #turnOf(plugin: string): number {
    return this.#lastTurns.get(plugin) ?? 0;
  }
}

function tooLate(timeoutMs: number): LurkboxError {
  return new LurkboxError('IMAGE_BUILD_FAILED', `the image was not made within ${timeoutMs / 1000} s`);
}
