import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { LABELS } from '../labels.ts';

/** Who made a container: enough for another orchestrator to tell whether its maker is still alive. */
export interface Identity {
  readonly instance: string;
  /** Names a machine and a pid namespace on it; pids mean something only within one. */
  readonly host: string;
  /** `<pid>:<start time>`; a pid alone can be reused. */
  readonly process: string;
}

export function createIdentity(): Identity {
  return {
    instance: randomUUID(),
    host: hostId(),
    process: `${process.pid}:${startTime(process.pid) ?? 'unknown'}`,
  };
}

/** The labels that say so; without `kind`, which each object adds. */
export function toLabels({ instance, host, process: owner }: Identity): Record<string, string> {
  return { [LABELS.instance]: instance, [LABELS.host]: host, [LABELS.process]: owner };
}

/**
 * Whether the maker of something is known to be dead. Unknown is not dead: what another machine made on a shared
 * engine is never ours to judge.
 */
export function isOwnerDead(labels: Readonly<Record<string, string>>, self: Identity): boolean {
  const { [LABELS.instance]: instance, [LABELS.host]: host, [LABELS.process]: owner } = labels;
  if (instance === undefined || owner === undefined || instance === self.instance || host !== self.host)
    return false;
  const [pid, started] = owner.split(':');
  if (!/^\d{1,10}$/.test(pid ?? '') || !/^\d+$/.test(started ?? '')) return false;
  return startTime(Number(pid)) !== started;
}

function hostId(): string {
  const parts = [readOr('/proc/sys/kernel/random/boot_id', () => hostname()), linkOr('/proc/self/ns/pid')];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}

/** Field 22 of `/proc/<pid>/stat`, in clock ticks since boot; `null` when there is no such process (proc(5)). */
function startTime(pid: number): string | null {
  const stat = readOr(`/proc/${pid}/stat`, () => '');
  // The second field is the program's name and may hold blanks and parentheses.
  const afterName = stat.slice(stat.lastIndexOf(')') + 2);
  return afterName.split(' ')[19] ?? null;
}

function readOr(file: string, otherwise: () => string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return otherwise();
  }
}

function linkOr(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
