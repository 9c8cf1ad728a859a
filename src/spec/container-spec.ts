/** A private tmpfs; it counts as memory of the container. Always nosuid, nodev and noexec. */
export interface TmpfsSpec {
  readonly path: string;
  readonly sizeBytes: number;
  readonly inodes: number;
}

/** A host folder at a path of the container. Never followed by the orchestrator. */
export interface MountSpec {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

/**
 * The finished plan for one container: plain data, every field present. `engine/docker/to-create-options.ts` turns it into
 * Docker's words, and is the only place that does.
 */
export interface ContainerSpec {
  readonly name: string;
  /** Image id as the engine names it (`sha256:…`), never a tag, so that what was checked is what runs. */
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: { readonly mode: 'none' | 'host' } | { readonly mode: 'bridge'; readonly name: string };
  /** Values of the kernel in the network namespace of the container. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** `exec: false` is a property of the seccomp profile; kept here for the second look. */
  readonly exec: boolean;
  readonly seccompProfile: object;
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly readOnlyRoot: boolean;
  readonly ipcMode: string;
  readonly cgroupnsMode: string;
  readonly init: boolean;
  readonly tmpfs: readonly TmpfsSpec[];
  readonly mounts: readonly MountSpec[];
  /** Memory and swap together. */
  readonly memoryBytes: number;
  readonly cpuCores: number;
  readonly pids: number;
  readonly nofile: number;
  readonly coreBytes: number;
  readonly memlockBytes: number;
  readonly messageQueueBytes: number;
  /** Largest file the container can write, in bytes. */
  readonly fileSizeBytes: number;
  /** CPU seconds per process: what ends a busy loop when every deadline above it is dead. */
  readonly cpuTimeSeconds: number;
  readonly oomScoreAdj: number;
  readonly logDriver: string;
  readonly restart: string;
  /** `null`: the engine's default. */
  readonly runtime: string | null;
}
