import type { BindMount, DockerCreateOptions } from '../../src/engine/docker/to-create-options.ts';

const MASKED = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

interface Engine {
  /** Beside what was asked for, or in its place. */
  readonly config: object;
  readonly hostConfig: object;
  /** Fields that it leaves out where they are empty. */
  readonly omits: readonly string[];
  /** What it makes of a mount. */
  readonly toMount: (mount: BindMount) => object;
}

/** How engines answer `inspect`: what they fill in, and how they write what is empty. */
export const ENGINES = {
  // Seen in a real one.
  'Docker 20.10 (API 1.41)': {
    config: { Domainname: '', OnBuild: null, Volumes: null },
    hostConfig: {
      ...fields('', 'ContainerIDFile VolumeDriver Cgroup CgroupParent CpusetCpus CpusetMems Isolation'),
      ...fields(
        null,
        'PortBindings Dns DnsOptions DnsSearch ExtraHosts Links DeviceCgroupRules MemorySwappiness',
      ),
      ...fields(
        null,
        'BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps',
      ),
      ...fields(
        0,
        'CpuShares BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime KernelMemory',
      ),
      ...fields(0, 'KernelMemoryTCP MemoryReservation CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth'),
      ConsoleSize: [0, 0],
      ShmSize: 67_108_864,
      MaskedPaths: MASKED,
      ReadonlyPaths: READ_ONLY,
    },
    omits: ['NetworkDisabled', 'Sysctls', 'Mounts'],
    toMount: (mount) => mount,
  },
  // As Docker 28 writes it, spoken to in the oldest API that it takes.
  'Docker 25 to 28 (API 1.41)': {
    config: { Domainname: '', OnBuild: null, Volumes: null, MacAddress: '' },
    hostConfig: {
      ...fields('', 'ContainerIDFile VolumeDriver Cgroup CgroupParent CpusetCpus CpusetMems Isolation'),
      ...fields(null, 'PortBindings ExtraHosts Links DeviceCgroupRules MemorySwappiness'),
      ...fields([], 'Dns DnsOptions DnsSearch BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps'),
      ...fields([], 'BlkioDeviceReadIOps BlkioDeviceWriteIOps'),
      ...fields(0, 'CpuShares BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime'),
      ...fields(0, 'MemoryReservation CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth'),
      ConsoleSize: [0, 0],
      ShmSize: 67_108_864,
      MaskedPaths: [...MASKED, '/proc/interrupts', '/sys/devices/virtual/powercap'],
      ReadonlyPaths: READ_ONLY,
    },
    omits: ['NetworkDisabled', 'Sysctls', 'Mounts', 'Annotations'],
    toMount: ({ BindOptions, ...mount }) => ({
      ...mount,
      BindOptions: mount.ReadOnly ? { ...BindOptions, ReadOnlyNonRecursive: true } : BindOptions,
    }),
  },
  'Docker 29 (API 1.44 to 1.56)': {
    config: { Domainname: '', Volumes: null },
    hostConfig: {
      ...fields('', 'ContainerIDFile VolumeDriver Cgroup CgroupParent CpusetCpus CpusetMems Isolation'),
      ...fields(null, 'ExtraHosts Links DeviceCgroupRules MemorySwappiness Dns Umask'),
      ...fields([], 'DnsOptions DnsSearch BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps'),
      ...fields([], 'BlkioDeviceReadIOps BlkioDeviceWriteIOps'),
      ...fields(0, 'CpuShares BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime'),
      ...fields(0, 'MemoryReservation CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth'),
      PortBindings: {},
      ConsoleSize: [0, 0],
      ShmSize: 67_108_864,
      MaskedPaths: [...MASKED, '/proc/interrupts', '/sys/devices/virtual/powercap'],
      ReadonlyPaths: READ_ONLY,
    },
    omits: ['NetworkDisabled', 'Sysctls', 'Mounts', 'Annotations', 'Cmd', 'ReadOnly'],
    toMount: ({ ReadOnly, ...mount }) => (ReadOnly ? { ReadOnly, ...mount } : mount),
  },
} satisfies Readonly<Record<string, Engine>>;

export type EngineName = keyof typeof ENGINES;
export const ENGINE_NAMES = Object.keys(ENGINES) as EngineName[];

/** What an honest engine answers to `inspect` for a container with these options. */
export function inspectionOf(options: DockerCreateOptions, engine: EngineName = 'Docker 20.10 (API 1.41)') {
  const { HostConfig, name, Image, Entrypoint, Cmd, ...config } = options;
  const { config: filledIn, hostConfig, omits, toMount }: Engine = ENGINES[engine];
  const networks = config.NetworkDisabled ? {} : { [HostConfig.NetworkMode]: { NetworkID: '' } };
  return {
    Id: 'c1',
    Name: `/${name}`,
    Image,
    Path: Entrypoint[0],
    Args: [...Entrypoint.slice(1), ...Cmd],
    AppArmorProfile: HostConfig.SecurityOpt.includes('apparmor=docker-default') ? 'docker-default' : '',
    ExecIDs: null,
    Config: without(omits, { Hostname: '0a1b2c3d', ...config, Image, Entrypoint, Cmd, ...filledIn }),
    HostConfig: without(omits, {
      ...HostConfig,
      Mounts: HostConfig.Mounts.map(toMount),
      ...hostConfig,
    }),
    Mounts: HostConfig.Mounts.map(({ Source, Target, ReadOnly }) => ({
      Type: 'bind',
      Source,
      Destination: Target,
      Mode: '',
      RW: !ReadOnly,
      Propagation: 'rprivate',
    })),
    NetworkSettings: { SandboxID: '', Ports: {}, Networks: networks },
  };
}

export type Inspection = ReturnType<typeof inspectionOf>;

function fields(value: unknown, names: string): object {
  return Object.fromEntries(names.split(' ').map((name) => [name, value]));
}

function without(names: readonly string[], record: object): Record<string, unknown> {
  const isKept = ([name, value]: [string, unknown]): boolean =>
    !names.includes(name) || (value !== false && Object.keys(value ?? {}).length > 0) || value === true;
  return Object.fromEntries(Object.entries(record).filter(isKept));
}
