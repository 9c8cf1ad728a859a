import type { Grant } from '../policy/grant.ts';

/**
 * What the last look before the engine compares the finished Docker options with. It comes from the grant on a road of
 * its own and not from the spec, so that a fault in building the spec cannot excuse itself.
 */
export interface Allowance {
  readonly network: 'none' | 'bridge' | 'host';
  readonly exec: boolean;
  readonly memoryBytes: number;
  readonly cpuCores: number;
  readonly pids: number;
  /** tmpfs path → largest size in bytes. */
  readonly tmpfs: Readonly<Record<string, number>>;
  readonly mounts: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly readOnly: boolean;
  }[];
  readonly runtime: string | null;
}

export function toAllowance(grant: Grant): Allowance {
  return {
    network: grant.network,
    exec: grant.exec,
    memoryBytes: grant.memoryBytes,
    cpuCores: grant.cpuCores,
    pids: grant.pids,
    tmpfs: {
      '/tmp': grant.tmpBytes,
      ...(grant.scratchBytes > 0 ? { '/scratch': grant.scratchBytes } : {}),
    },
    mounts: grant.mounts.map((mount) => ({
      hostPath: mount.hostPath,
      containerPath: mount.containerPath,
      readOnly: mount.mode === 'ro',
    })),
    runtime: grant.runtime,
  };
}
