import { LurkboxError } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';
import type { EngineFacts } from './engine.ts';
import { quote } from './errors.ts';
import { assertRuntime, type RuntimeInfo, toRuntimeFacts } from './runtimes.ts';

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

interface Requirement {
  readonly name: string;
  readonly met: (facts: EngineFacts) => boolean;
  readonly why: string;
}

/** What an engine must be able to enforce; `doctor` prints the same list. */
export const REQUIREMENTS: readonly Requirement[] = [
  {
    name: 'Linux containers',
    met: ({ platform }) => platform.os === 'linux',
    why: 'the controls are those of Linux',
  },
  {
    name: 'amd64 or arm64',
    met: ({ platform }) => ['amd64', 'arm64'].includes(platform.architecture),
    why: 'the seccomp profile names the system calls of these two',
  },
  {
    name: 'seccomp',
    met: ({ seccomp }) => seccomp,
    why: 'without it a plugin can start processes and reach the whole kernel',
  },
  {
    name: 'memory limit',
    met: ({ limits }) => limits.memory,
    why: 'without it a plugin can take all memory of the host',
  },
  {
    name: 'swap limit',
    met: ({ limits }) => limits.swap,
    why: 'without it a memory limit only moves a plugin into swap',
  },
  { name: 'CPU quota', met: ({ limits }) => limits.cpu, why: 'without it a plugin can take every core' },
  { name: 'pids limit', met: ({ limits }) => limits.pids, why: 'without it a fork bomb reaches the host' },
];

/** Throws when the engine cannot enforce what every container of ours relies on, or lacks the runtime. */
export function assertEnforceable(facts: EngineFacts, allowance: Allowance): void {
  const missing = REQUIREMENTS.filter(({ met }) => !met(facts));
  if (missing.length > 0) {
    throw new LurkboxError(
      'ENGINE_INSECURE',
      'The engine cannot enforce what every container of lurkbox relies on.',
      {
        problems: missing.map(({ name, why }) => ({ path: '', message: `${name} is missing: ${why}` })),
      },
    );
  }
  assertRuntime(facts, allowance);
}
