import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A process of its own that appends to an audit log. */
export interface AuditWriter extends AsyncDisposable {
  /** Id of the last entry that it has flushed, `null` before the first. */
  readonly flushed: string | null;
  /** Resolves when it has flushed its first entries. */
  readonly started: Promise<void>;
  /** Resolves when a flush has failed. */
  readonly failing: Promise<void>;
  /** Lifts `fileLimitKb`. */
  liftLimit(): void;
  /** Resolves when it has ended; answers its last line, and its exit code or signal. */
  readonly ended: Promise<{ lastLine: string; code: number | null; signal: string | null }>;
  kill(): Promise<void>;
}

const SOURCE = join(import.meta.dirname, '../../src/audit/audit-log.ts');

/** Appends `count` entries named after it, `batch` a turn, and says after each flush how far it has come. */
const PROGRAM = `
  const [, source, folder, name, count, batch, maxFileBytes, keepFiles, pauseMs] = process.argv;
  const { AuditLog } = await import(source);
  const { writeSync } = await import('node:fs');
  const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
  const log = await AuditLog.open({ folder, logger: silent, maxFileBytes: +maxFileBytes, keepFiles: +keepFiles });
  for (let number = 1; number <= +count; number++) {
    log.append({
      kind: 'execution', executionId: name + '-' + number, plugin: 'weather', version: '1.0.0', digest: null,
      outcome: 'OK', grantHash: null, executionTimeMs: 1,
    });
    if (number % +batch !== 0) continue;
    const before = log.failures;
    log.flush();
    writeSync(1, log.failures === before ? name + '-' + number + '\\n' : 'failing\\n');
    await new Promise((resolve) => setTimeout(resolve, +pauseMs));
  }
  // What could not be written is written before the end.
  for (let before = -1; before !== log.failures; ) {
    before = log.failures;
    log.flush();
    await new Promise((resolve) => setTimeout(resolve, +pauseMs));
  }
  log.close();
  writeSync(1, JSON.stringify({ failures: log.failures }) + '\\n');
`;

export interface WriterOptions {
  readonly count?: number;
  readonly batch?: number;
  readonly maxFileBytes?: number;
  readonly keepFiles?: number;
  /** Between two batches. @default 0 */
  readonly pauseMs?: number;
  /** Largest file that the process may write, in KiB: beyond it, writing fails as on a full disk. */
  readonly fileLimitKb?: number;
}

export function startWriter(folder: string, name: string, options: WriterOptions = {}): AuditWriter {
  const {
    count = 1e9,
    batch = 7,
    maxFileBytes = 64 * 1024,
    keepFiles = 1000,
    pauseMs = 0,
    fileLimitKb,
  } = options;
  const args = [SOURCE, folder, name, count, batch, maxFileBytes, keepFiles, pauseMs].map(String);
  const limit = fileLimitKb === undefined ? '' : `ulimit -S -f ${fileLimitKb * 2}; `; // In blocks of 512 bytes.
  const script = `${limit}exec "$0" --input-type=module -e "$@"`;
  const child = spawn('sh', ['-c', script, process.execPath, PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let lastLine = '';
  let flushed: string | null = null;
  const started = Promise.withResolvers<void>();
  const failing = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lastLine = line;
    if (line === 'failing') failing.resolve();
    if (!line.startsWith(name)) return;
    flushed = line;
    started.resolve();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ lastLine, code, signal }));
  return {
    get flushed() {
      return flushed;
    },
    started: started.promise,
    failing: failing.promise,
    liftLimit: () => void execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:']),
    ended,
    kill: () => kill(child, ended),
    [Symbol.asyncDispose]: () => kill(child, ended),
  };
}

async function kill(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}
