import { posix } from 'node:path';
import type { EngineFacts, RuntimeFacts } from '../engine.ts';
import { quote } from './errors.ts';

/** The parts of `GET /info` that lurkbox reads. */
export interface EngineInfo {
  ID?: string;
  Name?: string;
  ServerVersion?: string;
  KernelVersion?: string;
  OperatingSystem?: string;
  OSType?: string;
  Architecture?: string;
  CgroupVersion?: string;
  CgroupDriver?: string;
  Driver?: string;
  SecurityOptions?: string[] | null;
  MemoryLimit?: boolean;
  SwapLimit?: boolean;
  CpuCfsQuota?: boolean;
  PidsLimit?: boolean;
  DockerRootDir?: string;
  DefaultRuntime?: string;
  Runtimes?: Record<string, RuntimeInfo> | null;
  Warnings?: string[] | null;
  NCPU?: number;
  MemTotal?: number;
}

const MAX_PATH_CHARS = 4_096;

const DOCKER_ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

export function toEngineFacts(info: EngineInfo, apiVersion: string): EngineFacts {
  const security = (info.SecurityOptions ?? []).map((option) => /name=([^,]+)/.exec(option)?.[1] ?? option);
  const architecture = toText(info.Architecture);
  return {
    id: toText(info.ID),
    name: toText(info.Name),
    version: toText(info.ServerVersion),
    apiVersion,
    platform: {
      os: toText(info.OSType),
      architecture: DOCKER_ARCHITECTURES[architecture] ?? architecture,
    },
    kernelVersion: toText(info.KernelVersion),
    operatingSystem: toText(info.OperatingSystem),
    cgroupVersion: toText(info.CgroupVersion ?? '1'),
    cgroupDriver: toText(info.CgroupDriver),
    storageDriver: toText(info.Driver),
    rootless: security.includes('rootless'),
    userns: security.includes('userns'),
    seccomp: security.includes('seccomp'),
    apparmor: security.includes('apparmor'),
    limits: {
      memory: info.MemoryLimit ?? false,
      swap: info.SwapLimit ?? false,
      cpu: info.CpuCfsQuota ?? false,
      pids: info.PidsLimit ?? false,
    },
    // Compared with paths, so as it is.
    dataRoot: typeof info.DockerRootDir === 'string' ? info.DockerRootDir.slice(0, MAX_PATH_CHARS) : '',
    defaultRuntime: toText(info.DefaultRuntime),
    runtimes: Object.fromEntries(
      Object.entries(info.Runtimes ?? {}).map(([name, runtime]) => [toText(name), toRuntimeFacts(runtime)]),
    ),
    warnings: (info.Warnings ?? []).slice(0, MAX_WARNINGS).map(toText),
    cores: info.NCPU ?? 0,
    memoryBytes: info.MemTotal ?? 0,
  };
}

const MAX_WARNINGS = 20;

function toText(said: string | undefined): string {
  return quote(String(said ?? ''));
}

/** A runtime as `GET /info` tells it: by path and arguments, or, from API 1.43 on, by type and options of its shim. */
export interface RuntimeInfo {
  path?: string;
  runtimeArgs?: string[] | null;
  runtimeType?: string;
  options?: Record<string, unknown> | null;
}

/** What is known of a runtime; what the engine does not tell stays unknown. */
export function toRuntimeFacts({ path, runtimeArgs, runtimeType, options }: RuntimeInfo): RuntimeFacts {
  if (!runtimeType) return { program: posix.basename(path ?? ''), args: path ? (runtimeArgs ?? []) : null };
  if (path || !SHIM_OF_RUNC.test(runtimeType)) return { program: posix.basename(runtimeType), args: null };
  const { BinaryName: program = 'runc', ...others } = options ?? {};
  const isReadable =
    typeof program === 'string' && Object.keys(others).every((key) => SHIM_OPTIONS.includes(key));
  return { program: posix.basename(String(program)), args: isReadable ? [] : null };
}

const SHIM_OF_RUNC = /^(io\.containerd\.runc\.v[12]|(.*\/)?containerd-shim-runc-v[12])$/;
/** Options of that shim that leave every control as it is; of `BinaryName` the family decides. */
const SHIM_OPTIONS = ['TypeUrl', 'SystemdCgroup', 'Root'];
