import type { ContainerSpec, MountSpec, TmpfsSpec } from '../../spec/container-spec.ts';
import type { EngineFacts } from '../engine.ts';

/** The body of `POST /containers/create` as lurkbox sends it: these fields, always all of them, and no other. */
export interface DockerCreateOptions {
  name: string;
  Image: string;
  User: string;
  WorkingDir: string;
  Entrypoint: string[];
  Cmd: string[];
  Env: string[];
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] };
  StopSignal: string;
  NetworkDisabled: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Tty: boolean;
  HostConfig: HostOptions;
}

export interface HostOptions {
  AutoRemove: boolean;
  Privileged: boolean;
  ReadonlyRootfs: boolean;
  Init: boolean;
  PublishAllPorts: boolean;
  OomKillDisable: boolean;
  NetworkMode: string;
  IpcMode: string;
  CgroupnsMode: string;
  PidMode: string;
  UTSMode: string;
  UsernsMode: string;
  CapDrop: string[];
  CapAdd: string[];
  SecurityOpt: string[];
  Tmpfs: Record<string, string>;
  Mounts: BindMount[];
  Binds: string[];
  VolumesFrom: string[];
  Links: string[];
  Devices: object[];
  DeviceRequests: object[];
  GroupAdd: string[];
  Sysctls: Record<string, string>;
  Memory: number;
  MemorySwap: number;
  NanoCpus: number;
  PidsLimit: number;
  OomScoreAdj: number;
  Ulimits: { Name: string; Soft: number; Hard: number }[];
  LogConfig: { Type: string; Config: Record<string, string> };
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  Runtime: string;
}

export interface BindMount {
  Type: 'bind';
  Source: string;
  Target: string;
  ReadOnly: boolean;
  BindOptions: { Propagation: 'rprivate'; NonRecursive: boolean };
}

/**
 * The spec in Docker's words; the one place that writes them.
 * @see https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerCreate
 */
export function toCreateOptions(spec: ContainerSpec, facts: EngineFacts): DockerCreateOptions {
  return {
    name: spec.name,
    Image: spec.image,
    User: spec.user,
    WorkingDir: spec.workingDir,
    Entrypoint: [...spec.command],
    Cmd: [],
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: { ...spec.labels },
    Healthcheck: { Test: ['NONE'] },
    // Process 1 ignores SIGTERM unless it asks for it.
    StopSignal: 'SIGKILL',
    // Keeps an own namespace with only a loopback device, and spares the engine's network set-up.
    NetworkDisabled: spec.network.mode === 'none',
    OpenStdin: true,
    // When the orchestrator dies, the runner sees the end of its input and leaves.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: toHostOptions(spec, facts),
  };
}

function toHostOptions(spec: ContainerSpec, facts: EngineFacts): HostOptions {
  return {
    // Removed by us after the exit code was read.
    AutoRemove: false,
    Privileged: false,
    ReadonlyRootfs: spec.readOnlyRoot,
    Init: spec.init,
    PublishAllPorts: false,
    OomKillDisable: false,
    NetworkMode: spec.network.mode === 'bridge' ? spec.network.name : spec.network.mode,
    IpcMode: spec.ipcMode,
    CgroupnsMode: spec.cgroupnsMode,
    PidMode: '',
    UTSMode: '',
    UsernsMode: '',
    CapDrop: [...spec.capDrop],
    CapAdd: [],
    SecurityOpt: toSecurityOpt(spec, facts),
    Tmpfs: Object.fromEntries(spec.tmpfs.map((tmpfs) => [tmpfs.path, toTmpfsOptions(tmpfs, spec.user)])),
    Mounts: spec.mounts.map(toBindMount),
    Binds: [],
    VolumesFrom: [],
    Links: [],
    Devices: [],
    DeviceRequests: [],
    GroupAdd: [],
    Sysctls: { ...spec.sysctls },
    Memory: spec.memoryBytes,
    MemorySwap: spec.memoryBytes,
    NanoCpus: Math.round(spec.cpuCores * 1e9),
    PidsLimit: spec.pids,
    OomScoreAdj: spec.oomScoreAdj,
    Ulimits: toUlimits(spec),
    LogConfig: { Type: spec.logDriver, Config: {} },
    RestartPolicy: { Name: spec.restart, MaximumRetryCount: 0 },
    Runtime: spec.runtime ?? facts.defaultRuntime,
  };
}

function toSecurityOpt(spec: ContainerSpec, facts: EngineFacts): string[] {
  return [
    ...(spec.noNewPrivileges ? ['no-new-privileges:true'] : []),
    // The API takes the profile itself; a path would be the engine's, not ours.
    `seccomp=${JSON.stringify(spec.seccompProfile)}`,
    ...(facts.apparmor ? ['apparmor=docker-default'] : []),
  ];
}

// mode 0700 and the owner in the options: nothing has to be changed in the container later.
function toTmpfsOptions({ sizeBytes, inodes }: TmpfsSpec, user: string): string {
  const [uid, gid] = user.split(':');
  return `rw,noexec,nosuid,nodev,size=${sizeBytes},nr_inodes=${inodes},mode=0700,uid=${uid},gid=${gid}`;
}

function toBindMount({ hostPath, containerPath, readOnly }: MountSpec): BindMount {
  return {
    Type: 'bind',
    Source: hostPath,
    Target: containerPath,
    ReadOnly: readOnly,
    // Non-recursive: what is mounted below the folder would not become read-only with it before API 1.44.
    BindOptions: { Propagation: 'rprivate', NonRecursive: true },
  };
}

function toUlimits(spec: ContainerSpec): HostOptions['Ulimits'] {
  const limits: [name: string, value: number][] = [
    ['nofile', spec.nofile],
    ['core', spec.coreBytes],
    ['memlock', spec.memlockBytes],
    ['msgqueue', spec.messageQueueBytes],
    ['fsize', spec.fileSizeBytes],
    ['cpu', spec.cpuTimeSeconds],
  ];
  return limits.map(([Name, value]) => ({ Name, Soft: value, Hard: value }));
}
