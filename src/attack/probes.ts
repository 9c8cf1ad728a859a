import type { Target } from './attack.ts';
import { buildSyscallProbe } from './syscall-probe.ts';
import { INT80_CALLS, SYSCALLS, TABLE_CALLS, THREAD_CALLS, X32_CALLS } from './syscalls.ts';

/** Machine code of the attacker: file in its folder → the calls that it makes. */
export const PROBES = {
  'calls.node': SYSCALLS,
  'threads.node': THREAD_CALLS,
  'int80.node': INT80_CALLS,
  'x32.node': X32_CALLS,
  'tables.node': TABLE_CALLS,
} as const;

/** Fills what the kernel counts by user. */
export const TABLES_PROBE = '/plugin/tables.node';

/** The files, for the folder of the attacker. */
export function buildProbes(): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(PROBES).map(([file, calls]) => [file, buildSyscallProbe(calls)]));
}

export function rawCallsOnly({ facts }: Target): string | null {
  const { architecture } = facts.platform;
  return architecture === 'amd64' ? null : `raw system calls are not tried on ${architecture}`;
}
