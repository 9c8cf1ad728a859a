import * as z from 'zod';
import { LurkboxError, type Problem } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { AuditChain, type ChainConfig, type Dated } from './chain.ts';
import { type AuditEntry, AuditEntrySchema, boundEntry, recovered } from './record.ts';

export interface AuditLogOptions {
  /** Made when it is not there. Several processes may have one folder. */
  readonly folder: string;
  readonly logger: Logger;
  /** A file that has reached this size is followed by a new one; from 4 KiB on. @default 16 MiB */
  readonly maxFileBytes?: number;
  /** The newest files that are kept, from 1 on. @default 20 */
  readonly keepFiles?: number;
  /** @default the clock */
  readonly now?: () => Date;
}

/** Entries that may wait while the log cannot be written; what comes then is lost, counted, and recorded later as lost. */
export const MAX_WAITING_ENTRIES = 4_000;
/** Entries that are written at once; fewer wait for the end of the turn. */
const FULL_BATCH = 1_000;
/** Each attempt may have to wait for a lock. */
const RETRY_MS = 5_000;

/**
 * Who was allowed what, and what came of it: a chain of records in files, of which `verifyAuditLog` tells whether anything
 * was changed. A log that cannot be written harms no call: it is logged, counted in `failures`, and tried again.
 */
export class AuditLog implements Disposable {
  readonly #config: ChainConfig;
  readonly #logger: Logger;
  readonly #queue: Dated[] = [];
  #chain: AuditChain | null = null;
  #cancelScheduled: (() => void) | null = null;
  #failing = false;
  #failures = 0;
  #lost = 0;
  #closed = false;

  /** @throws LurkboxError `OPTIONS_INVALID`; when the folder cannot be written to, that is a failure as any later one */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    log.#write();
    return log;
  }

  private constructor({ folder, logger, maxFileBytes, keepFiles, now }: AuditLogOptions) {
    this.#config = {
      folder,
      maxFileBytes: maxFileBytes ?? 16 * 1024 * 1024,
      keepFiles: keepFiles ?? 20,
      now: now ?? (() => new Date()),
    };
    this.#logger = logger;
    validate(this.#config);
  }

  /** How often the log could not be written, and entries were refused. 0 says that everything so far is recorded, or waits. */
  get failures(): number {
    return this.#failures;
  }

  /** Records it at the end of this turn of the event loop. Never throws: what is no entry is logged and counted. */
  append(entry: AuditEntry): void {
    const body = this.#closed ? 'the log is closed' : check(entry);
    if (typeof body === 'string') {
      this.#failures++;
      this.#logger.error({ reason: body }, 'an entry of the audit log was refused');
    } else if (this.#queue.length >= MAX_WAITING_ENTRIES) {
      this.#lost++;
    } else {
      this.#queue.push({ at: this.#config.now().toISOString(), body });
      if (this.#queue.length >= FULL_BATCH && !this.#failing) this.flush();
      else this.#schedule();
    }
  }

  /** Writes what waits, now. What cannot be written goes on waiting. */
  flush(): void {
    this.#cancelScheduled?.();
    this.#cancelScheduled = null;
    if (this.#queue.length > 0 || this.#lost > 0) this.#write();
  }

  /** Writes what waits, and lets go of the files. Fine to call twice. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#cancelScheduled?.();
    this.#chain?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #write(): void {
    try {
      this.#chain ??= new AuditChain(this.#config);
      this.#chain.write(this.#queue);
      this.#recordLost(this.#chain);
      if (this.#failing) this.#logger.info({}, 'the audit log is written again');
      this.#failing = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** In the place where they would have been. */
  #recordLost(chain: AuditChain): void {
    if (this.#lost === 0) return;
    const body = recovered('entries_lost', { records: this.#lost });
    this.#queue.push({ at: this.#config.now().toISOString(), body });
    this.#lost = 0;
    chain.write(this.#queue);
  }

  #fail(error: unknown): void {
    this.#failures++;
    if (!this.#failing)
      this.#logger.error(
        { err: error, folder: this.#config.folder },
        'the audit log cannot be written; its entries wait',
      );
    this.#failing = true;
    // Opened anew: whatever is wrong, nothing that was known of the folder is to be believed.
    this.#chain?.close();
    this.#chain = null;
    if (this.#queue.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#cancelScheduled !== null) return;
    const write = () => this.flush();
    if (this.#failing) {
      const timer = setTimeout(write, RETRY_MS).unref();
      this.#cancelScheduled = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(write);
      this.#cancelScheduled = () => clearImmediate(immediate);
    }
  }
}

/** The entry as it is recorded, or what is wrong with it: a record that is none would break the chain for ever. */
function check(entry: AuditEntry): AuditEntry | string {
  try {
    const { success, data, error } = AuditEntrySchema.safeParse(boundEntry(entry));
    return success ? data : z.prettifyError(error);
  } catch (error) {
    return String(error);
  }
}

function validate({ maxFileBytes, keepFiles }: ChainConfig): void {
  const problems: Problem[] = [];
  const wholeNumber = (path: string, value: number, min: number) => {
    if (!Number.isSafeInteger(value) || value < min)
      problems.push({ path, message: `expected a whole number from ${min} on, got ${String(value)}` });
  };
  // A file has to hold more than the record that it begins with.
  wholeNumber('maxFileBytes', maxFileBytes, 4 * 1024);
  wholeNumber('keepFiles', keepFiles, 1);
  if (problems.length > 0)
    throw new LurkboxError('OPTIONS_INVALID', 'The options of the audit log are not usable.', { problems });
}
