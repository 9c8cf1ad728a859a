import type { Readable } from 'node:stream';
import type { ContainerAllowance } from '../spec/allowance.ts';
import type { ContainerSpec } from '../spec/container-spec.ts';

/** Where an engine listens, and who chose it. */
export interface EngineEndpoint {
  /** The address, for messages. */
  readonly url: string;
  /** What named it, for messages: an environment variable, a setting, or one of the usual places. */
  readonly chosenBy: string;
  /** Whether somebody did name it; then no other is tried. */
  readonly isChosen: boolean;
  /** The environment that leads another process to the same engine. */
  readonly env: Readonly<Record<string, string>>;
  readonly connection: EngineConnection;
}

/** How what is said reaches an engine. */
export type EngineConnection = 'socket' | 'TLS' | 'TLS, unverified' | 'plain TCP';

/** What an engine is and can enforce. Asked anew when that may have changed, as after a restart. */
export interface EngineFacts {
  readonly id: string;
  /** Name of the engine's host. */
  readonly name: string;
  readonly version: string;
  /** The negotiated API version, e.g. `1.41`. */
  readonly apiVersion: string;
  /** `linux/amd64`, as image configs write it. */
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly cgroupVersion: string;
  readonly cgroupDriver: string;
  readonly storageDriver: string;
  readonly rootless: boolean;
  readonly userns: boolean;
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  readonly limits: {
    readonly memory: boolean;
    readonly swap: boolean;
    readonly cpu: boolean;
    readonly pids: boolean;
  };
  /** Where it keeps containers and images, on its host; empty where it does not say. */
  readonly dataRoot: string;
  readonly defaultRuntime: string;
  /** By the name that a policy calls them by. */
  readonly runtimes: Readonly<Record<string, RuntimeFacts>>;
  readonly warnings: readonly string[];
  readonly cores: number;
  readonly memoryBytes: number;
}

/** A registered OCI runtime, as far as the engine tells. */
export interface RuntimeFacts {
  /** Name of the program that the engine starts (`runc`), or type of its shim (`io.containerd.kata.v2`). */
  readonly program: string;
  /** The arguments that it is registered with; `null` where the engine does not show them all. */
  readonly args: readonly string[] | null;
}

export interface ImageSummary {
  /** `sha256:…` as this engine names it; which hash that is differs between image stores. */
  readonly id: string;
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Unpacked, shared layers included. */
  readonly sizeBytes: number;
  readonly createdAtMs: number;
}

/** An image as the engine holds it, looked at alone. */
export interface ImageDetails extends ImageSummary {
  /** Ids of its layers, `sha256:…` of what each unpacks to, lowest first. */
  readonly layers: readonly string[];
  /** What a container gets by default. */
  readonly defaults: ImageDefaults;
}

export interface ImageDefaults {
  readonly user: string;
  readonly workingDir: string;
  readonly entrypoint: readonly string[];
  readonly env: readonly string[];
  /** Whatever else is set, such as volumes or a health check: as the engine calls it. */
  readonly others: readonly string[];
}

export interface ContainerSummary {
  readonly id: string;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
  readonly createdAtMs: number;
}

export interface NetworkSummary {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** NaN where the engine does not say. */
  readonly createdAtMs: number;
}

/** How a container ended, read after it did. */
export interface ContainerExit {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** The engine stopped, or was restarted, or somebody told it to end or restart the container. */
  readonly endedByEngine: boolean;
  readonly error: string;
}

export interface ContainerUsage {
  readonly peakMemoryBytes: number | null;
  readonly cpuTimeMs: number | null;
}

/** The standard streams of one container. `output` throws their errors; `isOpen` shows them to code that does not read. */
export interface ContainerStreams {
  readonly stdin: ContainerStdin;
  /**
   * What the container writes, until it ends; throws when the streams break. It is read no faster than it is pulled, and
   * whoever stops before its end closes the streams. The bytes of a slice may be used again once the next one is asked for.
   */
  readonly output: AsyncIterable<OutputSlice>;
  /** Whether the streams are neither closed nor broken. */
  readonly isOpen: boolean;
  /** Whether the container may have broken them itself, by leaving unread what was written to it. */
  readonly mayContainerBreak: boolean;
  /** Whether this process goes on while they are open. @default true */
  keepProcess(isNeeded: boolean): void;
  /** Ends both. Fine to call twice. */
  close(): void;
}

export interface OutputSlice {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/** Never throws: that the streams broke is told by the output. */
export interface ContainerStdin {
  /** Whether it takes more: neither its end was asked for, nor did the streams break. */
  readonly isWritable: boolean;
  /** In the order of the calls. Answers false when the next call should wait until this is drained. */
  write(text: string): boolean;
  /** Resolves when what was written is on its way, or never will be, or nobody wants to know any more. */
  drained(signal: AbortSignal): Promise<void>;
  /** After what was written. */
  end(): void;
}

/**
 * The engine as lurkbox needs it. Every call has its own deadline and fails with a `LurkboxError` whose code is one of
 * the engine's; no call is repeated behind the caller's back.
 */
export interface ContainerEngine {
  readonly endpoint: EngineEndpoint;
  facts(): Promise<EngineFacts>;

  /** Creates the container, or throws `ENGINE_INSECURE` and leaves nothing when the engine did not take every control. */
  createContainer(spec: ContainerSpec, allowance: ContainerAllowance): Promise<{ id: string }>;
  /** Before its start: an engine keeps no copy of what was written before somebody was attached. */
  attachContainer(id: string): Promise<ContainerStreams>;
  startContainer(id: string): Promise<void>;
  /** Resolves when the container is no longer running. */
  waitContainer(id: string, options: { signal: AbortSignal; deadlineMs: number }): Promise<void>;
  /** `isInDoubt`: its record is asked whatever the exit code says. */
  containerExit(id: string, options?: { isInDoubt?: boolean }): Promise<ContainerExit>;
  /** What the kernel accounted to a running container; nulls where this host cannot see it. */
  containerUsage(id: string): Promise<ContainerUsage>;
  /** Kills and removes, and returns once the engine no longer knows the container. Fine to call twice. */
  removeContainer(id: string): Promise<void>;
  /** Containers that carry this label, in any state. */
  listContainers(label: string): Promise<ContainerSummary[]>;

  createNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  removeNetwork(name: string): Promise<void>;
  /** Networks that carry this label. */
  listNetworks(label: string): Promise<NetworkSummary[]>;

  /** `null` when the engine has no such image. */
  inspectImage(reference: string): Promise<ImageDetails | null>;
  listImages(label: string): Promise<ImageSummary[]>;
  /** Loads a docker-archive tar. Throws `IMAGE_BUILD_FAILED` when the engine refuses it. */
  loadImage(archive: Readable): Promise<void>;
  /** A docker-archive tar of the image with all its layers. */
  exportImage(reference: string): Promise<Readable>;
  /** Builds a build context (a tar with a `Dockerfile`) with the classic builder; answers the id of the image. */
  buildImage(
    context: Readable,
    options: { tag: string; labels: Readonly<Record<string, string>> },
  ): Promise<string>;
  /** Removes the tag or image; one that is gone already, or in use, is left and answers false. */
  removeImage(reference: string): Promise<boolean>;
}
