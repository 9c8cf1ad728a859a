import type { Logger } from '../logger.ts';
import type { Store } from './store.ts';

/** So soon after a change it is in the backup too; a series of changes is one backup. */
const DELAY_MS = 500;

/** Keeps the backup of a store close behind it. */
export class Backups {
  readonly #store: Store;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #isBehind = false;

  constructor(store: Store, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** The store has changed. What is not urgent waits for the next that is, or for the end. */
  changed({ isUrgent }: { isUrgent: boolean }): void {
    this.#isBehind = true;
    if (isUrgent) this.#timer ??= setTimeout(() => void this.flush(), DELAY_MS).unref();
  }

  /** Resolves when the backup holds all that has changed; a failure is logged, and the next change tries again. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#running.then(() => this.#save());
    await this.#running;
  }

  async #save(): Promise<void> {
    if (!this.#isBehind) return;
    this.#isBehind = false;
    try {
      await this.#store.saveBackup();
    } catch (error) {
      this.#isBehind = true;
      this.#logger.warn({ error }, 'The registry could not be backed up; the next change tries again.');
    }
  }
}
