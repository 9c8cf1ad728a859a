import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';

/** How long one process waits for what another one is writing. */
const BUSY_MS = 10_000;

/** Pages that a backup copies at once; between two of them others may write. */
const PAGES_PER_STEP = 1024;

/** A connection. Statements are prepared once, so their texts must be constants. */
export class Database implements Disposable {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #copies = 0;
  #isClosing = false;

  constructor(path: string, { readOnly = false, busyMs = BUSY_MS } = {}) {
    this.#connection = new DatabaseSync(path, { readOnly, timeout: busyMs });
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  /** Answers the id of the row that was inserted last. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid);
  }

  get inTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** All or nothing. One inside of another can fail alone, and is kept only when the outermost is. */
  write<T>(work: () => T): T {
    return this.inTransaction
      ? this.#within('SAVEPOINT step', work, 'RELEASE step', 'ROLLBACK TO step; RELEASE step')
      : this.#within('BEGIN IMMEDIATE', work, 'COMMIT', 'ROLLBACK');
  }

  /** Everything is read as it was at one moment. */
  snapshot<T>(work: () => T): T {
    return this.inTransaction ? work() : this.#within('BEGIN', work, 'COMMIT', 'ROLLBACK');
  }

  #within<T>(begin: string, work: () => T, commit: string, rollback: string): T {
    this.exec(begin);
    try {
      const result = work();
      this.exec(commit);
      return result;
    } catch (error) {
      // After some faults SQLite has rolled back everything by itself.
      if (this.inTransaction) this.exec(rollback);
      throw error;
    }
  }

  /** Copies what is committed into a database file, beside other work of this connection. */
  async copyTo(path: string): Promise<void> {
    this.#copies++;
    try {
      await backup(this.#connection, path, { rate: PAGES_PER_STEP });
    } finally {
      this.#copies--;
      if (this.#isClosing) this.close();
    }
  }

  /** As soon as nothing is copied any more. */
  close(): void {
    this.#isClosing = true;
    if (this.#copies === 0 && this.#connection.isOpen) this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Result codes of SQLite; the low byte of an extended one. */
const PRIMARY_CODE = 0xff;
const PERMISSION = 3;
const BUSY = 5;
const LOCKED = 6;
const NO_MEMORY = 7;
const INPUT_OUTPUT = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const PROTOCOL = 15;
const NOT_A_DATABASE = 26;

/** They say something of the machine or of other processes. */
const NOT_OF_CONTENT = [PERMISSION, BUSY, LOCKED, NO_MEMORY, INPUT_OUTPUT, FULL, CANNOT_OPEN, PROTOCOL];

function codeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error)) return null;
  return Number(error.errcode) & PRIMARY_CODE;
}

/** What SQLite itself does not see as broken, but an examination does. */
export class BrokenError extends Error {}

/** Whether the file is not, or no longer, a sound database. */
export function isBroken(error: unknown): boolean {
  if (error instanceof BrokenError) return true;
  const code = codeOf(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/**
 * Whether a file that may be read and written, and statements that are right, can only have failed by what the file
 * holds: a damaged header forbids to write, a damaged schema lacks a table.
 */
export function isOfContent(error: unknown): boolean {
  const code = codeOf(error);
  return isBroken(error) || (code !== null && !NOT_OF_CONTENT.includes(code));
}

/** Whether what was read cannot be read: the file is damaged, or its disk is. */
export function isUnreadable(error: unknown): boolean {
  return isBroken(error) || codeOf(error) === INPUT_OUTPUT;
}

/** What SQLite or the file system said about a store, as a `LurkboxError`; any other error unchanged. */
export function toStoreError(error: unknown, path: string, wayOut: string | null): unknown {
  const code = codeOf(error) ?? (error as NodeJS.ErrnoException | null)?.code;
  if (error instanceof LurkboxError || !(error instanceof Error)) return error;
  if (code === undefined && !isBroken(error)) return error;
  const place = quotePath(path);
  if (code === FULL || code === 'ENOSPC' || code === 'EDQUOT')
    return new LurkboxError('HOST_RESOURCES', `No space is left on the disk of ${place}.`, { cause: error });
  const advice = wayOut === null ? '' : ` Start again, and its backup takes its place; or ${wayOut}.`;
  const message =
    code === BUSY
      ? `Another process has held ${place} for ${BUSY_MS / 1000} s; end it, or try again.`
      : isBroken(error)
        ? `${place} is damaged, and what was asked for was not done: ${error.message}.${advice}`
        : `${place} cannot be read and written: ${error.message}.`;
  return new LurkboxError('REGISTRY_INVALID', message, { cause: error });
}
