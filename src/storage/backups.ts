import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import type { Logger } from '../logger.ts';
import { isProcessGone, ownProcess } from '../process.ts';
import { BrokenError, Database } from './database.ts';
import { examine, peek } from './examine.ts';
import type { Folder } from './folder.ts';
import { createPrivateFile, removeDatabase, replaceFile, type StoreLock } from './store-files.ts';
import type { StoreFormat } from './store-format.ts';

/** So soon after a change it is in the backup too; a series of changes is one backup. */
const DELAY_MS = 500;

/** Keeps the backup of a store close behind it. */
export class Backups {
  readonly #save: () => Promise<void>;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #isBehind = false;

  constructor(save: () => Promise<void>, logger: Logger) {
    this.#save = save;
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
    this.#running = this.#running.then(() => this.#saveIfBehind());
    await this.#running;
  }

  async #saveIfBehind(): Promise<void> {
    if (!this.#isBehind) return;
    this.#isBehind = false;
    try {
      await this.#save();
    } catch (error) {
      this.#isBehind = true;
      this.#logger.warn({ error }, 'The registry could not be backed up; the next change tries again.');
    }
  }
}

interface BackupPlace {
  readonly folder: Folder;
  readonly path: string;
  readonly format: StoreFormat;
  readonly lock: StoreLock;
}

/**
 * Makes what `database` holds the backup, unless that is newer. Throws when the copy is no sound one; the backup stays what
 * it was then.
 */
export async function saveBackup(
  database: Database,
  { folder, path, format, lock }: BackupPlace,
): Promise<void> {
  const copy = `${path}.${ownProcess().replaceAll(':', '.')}.${randomUUID()}`;
  removeStaleCopies(folder, `${basename(path)}.`);
  try {
    createPrivateFile(copy);
    await database.copyTo(copy);
    makeSingleFile(copy);
    const copied = examine(copy, format);
    if (copied.is !== 'good')
      throw new BrokenError(copied.is === 'broken' ? copied.why : 'its copy is missing');
    lock.exclusive(() => {
      const current = peek(path);
      const { id, revision } = copied.identity;
      if (current?.id !== id || current.revision < revision) replaceFile(copy, path);
    });
  } finally {
    removeDatabase(copy);
  }
}

function removeStaleCopies(folder: Folder, start: string): void {
  for (const name of readdirSync(folder.here)) {
    const owner = name.startsWith(start)
      ? /^(\d+\.\d+\.\d+)\.[-\w]+$/.exec(name.slice(start.length))?.[1]
      : undefined;
    if (owner !== undefined && isProcessGone(owner.replaceAll('.', ':'))) removeDatabase(folder.at(name));
  }
}

/** Without a companion: one file can be put in its place in one step. */
function makeSingleFile(path: string): void {
  using database = new Database(path);
  database.exec('PRAGMA journal_mode = DELETE');
}
