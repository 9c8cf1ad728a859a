import type { Grant } from '../policy/grant.ts';

/**
 * What the last look before the engine compares the finished Docker options with. It comes from the grant on a road of
 * its own and not from the spec, so that a fault in building the spec cannot excuse itself.
 */
export interface Allowance {
  readonly plugin: string;
  readonly uid: number;
  readonly network: 'none' | 'bridge' | 'host';
  readonly exec: boolean;
  readonly memoryBytes: number;
  readonly cpuCores: number;
  /** How long the plugin may work in one container: in one execution, or in all that it is reused for. */
  readonly timeoutMs: number;
  readonly pids: number;
  /** tmpfs path → its size in bytes. */
  readonly tmpfs: Readonly<Record<string, number>>;
  readonly mounts: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly readOnly: boolean;
  }[];
  readonly runtime: string | null;
  readonly timeZone: string;
  readonly locale: string | null;
  readonly proxy: Grant['proxy'];
  readonly certificates: readonly string[];
  /** Controls that the policy lets a runtime leave out. */
  readonly acceptUnenforced: Grant['acceptUnenforced'];
}

/** The one container that may be made of it. */
export interface ContainerAllowance extends Allowance {
  readonly name: string;
  /** Id of the image that was asked for. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function toAllowance(grant: Grant): Allowance {
  return {
    plugin: grant.plugin,
    uid: grant.uid,
    network: grant.network,
    exec: grant.exec,
    memoryBytes: grant.memoryBytes,
    cpuCores: grant.cpuCores,
    timeoutMs: grant.timeoutMs + grant.isolation.maxAgeMs,
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
    timeZone: grant.timeZone,
    locale: grant.locale,
    proxy: grant.proxy,
    certificates: grant.certificates,
    acceptUnenforced: grant.acceptUnenforced,
  };
}
