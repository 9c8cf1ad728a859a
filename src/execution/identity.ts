import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { LABELS } from '../labels.ts';

/** Who made a container: enough for another orchestrator to tell whether its maker is still alive. */
export interface Identity {
  readonly instance: string;
  /** Names the machine across reboots. */
  readonly host: string;
  /** Names one run of its kernel. */
  readonly boot: string;
  /** `<pid>:<start time>:<pid namespace>`; a pid alone can be reused, and means something only in its namespace. */
  readonly process: string;
}

export function createIdentity(): Identity {
  const started = startTime(process.pid);
  return {
    instance: randomUUID(),
    host: shortHash(`${readOr('/etc/machine-id', '')}\n${hostname()}`),
    boot: shortHash(readOr('/proc/sys/kernel/random/boot_id', '')),
    process: `${process.pid}:${typeof started === 'string' ? started : 'unknown'}:${pidNamespace()}`,
  };
}

/** The labels that say so; without `kind`, which each object adds. */
export function toLabels({ instance, host, boot, process: owner }: Identity): Record<string, string> {
  return {
    [LABELS.instance]: instance,
    [LABELS.host]: host,
    [LABELS.boot]: boot,
    [LABELS.process]: owner,
  };
}

/**
 * Whether the maker of something is known to be dead: it ran on this machine, and either before the last boot or as a
 * process that is no more. Unknown is not dead: what another machine or another pid namespace made is never ours to
 * judge, and neither is a process that cannot be looked at.
 */
export function isOwnerDead(labels: Readonly<Record<string, string>>, self: Identity): boolean {
  const {
    [LABELS.instance]: instance,
    [LABELS.host]: host,
    [LABELS.boot]: boot,
    [LABELS.process]: owner,
  } = labels;
  if (instance === undefined || boot === undefined || owner === undefined) return false;
  if (instance === self.instance || host !== self.host) return false;
  if (boot !== self.boot) return true;
  const [pid = '', started = '', namespace] = owner.split(':');
  if (!/^\d{1,10}$/.test(pid) || !/^\d+$/.test(started) || namespace !== self.process.split(':')[2])
    return false;
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
    // Also where /proc hides the processes of others or there is none: then only a signal can tell.
    return (code === 'ENOENT' || code === 'ESRCH') && !exists(pid) ? null : 'unreadable';
  }
  // The second field is the program's name and may hold blanks and parentheses.
  const afterName = stat.slice(stat.lastIndexOf(')') + 2);
  return afterName.split(' ')[19] ?? 'unreadable';
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text.trim()).digest('hex').slice(0, 16);
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return 'unknown';
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
