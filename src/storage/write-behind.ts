import type { Logger } from '../logger.ts';

/** Writes what has gathered, at most once in `periodMs` and when told to; what failed is tried again. */
export class WriteBehind {
  readonly #write: () => void;
  readonly #periodMs: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor({ periodMs, write, logger }: { periodMs: number; write: () => void; logger: Logger }) {
    this.#periodMs = periodMs;
    this.#write = write;
    this.#logger = logger;
  }

  /** Something has gathered. */
  touch(): void {
    if (this.#isClosed) return;
    // `unref`: a pending write must not keep the process alive; `close` writes the rest.
    this.#timer ??= setTimeout(() => this.flush(), this.#periodMs).unref();
  }

  flush(): void {
    if (this.#timer === null) return;
    this.#stop();
    try {
      this.#write();
    } catch (error) {
      this.#logger.warn(
        { error },
        'Records of plugins could not be written; they are kept for the next time.',
      );
      this.touch();
    }
  }

  /** Writes the rest; nothing is written afterwards. */
  close(): void {
    this.flush();
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
