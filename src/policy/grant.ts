import type { UidRange } from './uids.ts';
import type { UnenforcedControl } from './unenforced.ts';

/** Who decided a value of the grant. */
export type Origin = 'baseline' | 'policy' | 'manifest';

/** A host folder that the policy bound to a name and the manifest asked for by that name. */
export interface GrantedMount {
  readonly name: string;
  /** Absolute path on the engine's host, from the policy and never from a manifest. */
  readonly hostPath: string;
  /** Always `/mnt/<name>`. */
  readonly containerPath: string;
  readonly mode: 'ro' | 'rw';
}

export interface GrantedProxy {
  /** `http:` or `https:`, host and port, nothing else. */
  readonly url: string;
  /** Hosts that are reached straight, beside the loopback of the container. */
  readonly exceptions: readonly string[];
}

/** How long one container serves before another takes its place. */
export interface Isolation {
  /** `execution`: one call. `session`: the calls of one session. `plugin`: the calls of everybody. */
  readonly mode: 'execution' | 'session' | 'plugin';
  readonly maxCalls: number;
  /** From its first call on; 0 where it serves one call. */
  readonly maxAgeMs: number;
}

/** What one plugin gets: baseline ∩ policy ∩ manifest. Complete and frozen; everything after reads it as it is. */
export interface Grant {
  readonly plugin: string;
  /** Number of the user, and of the group, that its processes run as. */
  readonly uid: number;
  /** The range from which all plugins of this policy have their user ids. */
  readonly uids: UidRange;
  readonly network: 'none' | 'bridge' | 'host';
  readonly exec: boolean;
  readonly memoryBytes: number;
  /** 1 is one whole core. */
  readonly cpuCores: number;
  /** From the moment the plugin is handed its context. */
  readonly timeoutMs: number;
  /** Processes and threads together; Node alone needs about 11. */
  readonly pids: number;
  /** The result as JSON; log lines do not count. */
  readonly outputBytes: number;
  readonly tmpBytes: number;
  /** Size of `/scratch`; 0 where the plugin has no `/scratch`. */
  readonly scratchBytes: number;
  readonly mounts: readonly GrantedMount[];
  readonly isolation: Isolation;
  /** Channels the plugin may be called from; `null` is any. */
  readonly channels: readonly string[] | null;
  /** Name of the OCI runtime as registered in the engine; `null` is the engine's default. */
  readonly runtime: string | null;
  /** Name of the time zone that its clock shows, as Node knows it. */
  readonly timeZone: string;
  /** BCP 47 tag of the language that its texts for people are in by default; `null`: English of the United States. */
  readonly locale: string | null;
  /** The way out of its network; `null`: straight. */
  readonly proxy: GrantedProxy | null;
  /** Authorities that it trusts beside those that Node knows, as PEM, in parts that fit into a variable each. */
  readonly certificates: readonly string[];
  /** Controls that may be missing where the runtime is not known to enforce them. */
  readonly acceptUnenforced: readonly UnenforcedControl[];
}

/** One line of `explain`: what holds for this plugin, why, and who decided it. */
export interface Restriction {
  readonly control: string;
  readonly value: string;
  readonly reason: string;
  readonly origin: Origin;
}
