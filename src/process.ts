import { readFileSync, readlinkSync } from 'node:fs';

/** `<pid>:<start time>:<pid namespace>` of this process; a pid alone can be reused, and means something only in its namespace. */
export function ownProcess(): string {
  const started = startTime(process.pid);
  return `${process.pid}:${typeof started === 'string' ? started : 'unknown'}:${pidNamespace()}`;
}

/**
 * Whether the process that is written so is known to be no more. Unknown is not gone: a process of another pid
 * namespace, or one that cannot be looked at, is never ours to judge.
 */
export function isProcessGone(written: string, namespace: string = pidNamespace()): boolean {
  const [pid = '', started = '', writtenNamespace] = written.split(':');
  if (!/^\d{1,10}$/.test(pid) || !/^\d+$/.test(started) || writtenNamespace !== namespace) return false;
  const now = startTime(Number(pid));
  return now !== 'unreadable' && now !== started;
}

/** Field 22 of `/proc/<pid>/stat`, in clock ticks since boot; `null` when there is no such process (proc(5)). */
function startTime(pid: number): string | null | 'unreadable' {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // /proc is missing or hides the processes of other users; then a signal shows whether the process lives.
    return (code === 'ENOENT' || code === 'ESRCH') && !exists(pid) ? null : 'unreadable';
  }
  // The second field is the program's name and may hold blanks and parentheses.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Of a zombie only the exit code is left, and its parent may never fetch that.
  return state === 'Z' ? null : (fields[18] ?? 'unreadable');
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return 'unknown';
  }
}
