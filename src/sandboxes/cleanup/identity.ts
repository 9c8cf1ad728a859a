import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { LABELS } from '../../labels.ts';
import { isProcessGone, ownProcess } from '../../process.ts';

/** Who made a container: enough for another orchestrator to tell whether its maker is still alive. */
export interface Identity {
  readonly instance: string;
  /** Names the machine across reboots. */
  readonly host: string;
  /** Names one run of its kernel. */
  readonly boot: string;
  /** As `ownProcess` writes it. */
  readonly process: string;
}

export function createIdentity(): Identity {
  return {
    instance: randomUUID(),
    host: shortHash(`${readMachineId()}\n${hostname()}`),
    boot: shortHash(readOr('/proc/sys/kernel/random/boot_id', '')),
    process: ownProcess(),
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
 * process that has ended. Unknown is not dead: this machine cannot judge what another machine or another pid namespace made, nor a
 * process that it cannot look at.
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
  return isProcessGone(owner, self.process.split(':')[2]);
}

/** Empty in most containers. Nobody but this machine knows it. */
export function readMachineId(): string {
  return readOr('/etc/machine-id', '');
}

function shortHash(text: string): string {
  return createHash('sha256').update(text.trim()).digest('hex').slice(0, 16);
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
