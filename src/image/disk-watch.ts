import { lstat, opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What programs that belong together may leave below a folder while they run. */
export interface DiskLimits {
  readonly folder: string;
  readonly bytes: number;
  /** Files and folders. */
  readonly entries: number;
}

export interface DiskBudget extends DiskLimits {
  /** By process: what it has written. */
  readonly written: Map<number, number>;
}

export function createDiskBudget(limits: DiskLimits): DiskBudget {
  return { ...limits, written: new Map() };
}

/** So often it is looked at; a program writes on for at most that time once its budget is used up. */
const INTERVAL_MS = 50;
/** To walk a folder costs more than to read one counter. */
const WALK_EVERY = 10;

export interface DiskWatch {
  /** Stops looking after one last look, and answers why the program was ended; `null` when it kept to its budget. */
  end(): Promise<string | null>;
}

/**
 * Calls `onExceeded` when a program has written more than its budget. On Linux the kernel counts what it writes, which is no
 * less than what comes to disk; the folder is walked too, for the number of files and for hosts without that counter.
 */
export function watchDisk(pid: number, budget: DiskBudget, onExceeded: () => void): DiskWatch {
  let fault: string | null = null;
  let isOver = false;
  let turn = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let last: Promise<string | null> | undefined;

  schedule();
  return { end: () => (last ??= finish()) };

  function schedule(): void {
    if (isOver) return;
    timer = setTimeout(() => {
      looking = look().then(schedule);
    }, INTERVAL_MS);
  }

  async function look(): Promise<void> {
    const own = await writtenBytes(pid);
    budget.written.set(pid, own ?? budget.written.get(pid) ?? 0);
    const written = [...budget.written.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (written > budget.bytes) exceeded(bytesFault(budget));
    else if (own === null || turn++ % WALK_EVERY === 0) await walk();
  }

  async function walk(): Promise<void> {
    const used = await measureFolder(budget.folder, budget);
    if (used.bytes > budget.bytes) exceeded(bytesFault(budget));
    else if (used.entries > budget.entries) exceeded(`more than ${budget.entries} files and folders`);
  }

  function exceeded(what: string): void {
    fault ??= what;
    onExceeded();
  }

  async function finish(): Promise<string | null> {
    isOver = true;
    clearTimeout(timer);
    await looking;
    if (fault === null) await walk();
    return fault;
  }
}

function bytesFault({ bytes }: DiskLimits): string {
  return `more than ${Math.floor(bytes / 1024 / 1024)} MB`;
}

/** All that a process wrote, to files and elsewhere; `null` where the kernel does not tell (proc(5)). */
async function writtenBytes(pid: number): Promise<number | null> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  const written = /^wchar: (\d+)$/m.exec(io)?.[1];
  return written === undefined ? null : Number(written);
}

/** What is below a folder; stops counting when that is more than it may be. No link is followed. */
export async function measureFolder(
  folder: string,
  most: Pick<DiskLimits, 'bytes' | 'entries'>,
): Promise<{ bytes: number; entries: number }> {
  const used = { bytes: 0, entries: 0 };
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const entries = await opendir(at).catch(() => null);
    if (entries === null) continue;
    for await (const entry of entries) {
      used.entries++;
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else used.bytes += (await lstat(path).catch(() => null))?.size ?? 0;
      if (used.bytes > most.bytes || used.entries > most.entries) return used;
    }
  }
  return used;
}
