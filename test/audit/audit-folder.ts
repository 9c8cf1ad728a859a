import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog, type AuditLogOptions } from '../../src/audit/audit-log.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { SILENT_LOGGER } from '../../src/logger.ts';

export interface AuditFolder extends Disposable {
  readonly path: string;
  open(options?: Partial<AuditLogOptions>): Promise<AuditLog>;
  /** Opens the log, appends entries with these numbers, and closes it. */
  append(from: number, to: number, options?: Partial<AuditLogOptions>): Promise<void>;
  read(name: string): string;
  write(name: string, content: string | Buffer): void;
  /** Names of what is there, without the database. */
  names(): string[];
  /** All records that are there, in the order of the files. */
  records(): Record<string, unknown>[];
  /** Ids of the executions that are recorded. */
  ids(): string[];
  /** The head as it is now, for `restoreHead`: how a process leaves it that ends between the file and the head. */
  saveHead(): void;
  restoreHead(): void;
  removeHead(): void;
}

/** An audit log in a temporary folder, removed when it is disposed of. */
export function createAuditFolder(): AuditFolder {
  const root = mkdtempSync(join(tmpdir(), 'lurkbox-test-'));
  const path = join(root, 'audit');
  const saved = join(root, 'saved.db');
  const names = () =>
    readdirSync(path)
      .filter((name) => !name.startsWith('head.db'))
      .sort();
  const removeHead = () => {
    for (const name of ['head.db', 'head.db-wal', 'head.db-shm']) rmSync(join(path, name), { force: true });
  };
  const records = () =>
    names()
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(path, name), 'utf8').split('\n').slice(0, -1))
      .map((line) => JSON.parse(line));
  const open: AuditFolder['open'] = (options) =>
    AuditLog.open({ folder: path, logger: SILENT_LOGGER, ...options });
  return {
    path,
    open,
    append: async (from, to, options) => {
      using log = await open(options);
      for (let number = from; number <= to; number++) log.append(execution(number));
    },
    read: (name) => readFileSync(join(path, name), 'utf8'),
    write: (name, content) => writeFileSync(join(path, name), content),
    names,
    records,
    ids: () =>
      records().flatMap(({ executionId }) => (executionId === undefined ? [] : [String(executionId)])),
    saveHead: () => cpSync(join(path, 'head.db'), saved),
    restoreHead: () => {
      removeHead();
      cpSync(saved, join(path, 'head.db'));
    },
    removeHead,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

export function execution(number: number | string): AuditEntry {
  return {
    kind: 'execution',
    executionId: `e-${number}`,
    plugin: 'weather',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    outcome: 'OK',
    grantHash: 'b'.repeat(64),
    executionTimeMs: 3.25,
  };
}

export function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `e-${from + index}`);
}
