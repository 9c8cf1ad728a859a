import { isDeepStrictEqual } from 'node:util';
import { isEmpty, recordOf, shorten } from '../values.ts';
import type { BindMount, DockerCreateOptions, HostOptions } from './to-create-options.ts';

/** Answers what is expected when a value is not allowed where `asked` was asked for, and `null` when it is. */
export type Rule = (value: unknown, asked: never) => string | null;

/**
 * The fields that an engine fills in by itself or writes in a way of its own, each with the reason why that does no
 * harm. Read from Docker 20.10 to 29 (API 1.41 to 1.56); what a later one adds is refused until it has a line here.
 */
export const HOST_CONFIG_RULES: Readonly<Record<string, Rule>> = {
  // The size of a /dev/shm that `IpcMode: none` never mounts.
  ShmSize: anything,
  // Height and width of a terminal, and there is none.
  ConsoleSize: anything,
  // Linux has only the one.
  Isolation: (value) => (isEmpty(value) || value === 'default' ? null : '"default"'),
  // The engine hides and protects parts of /proc and /sys; newer ones add to the lists, and none may leave out a path.
  MaskedPaths: covers([
    '/proc/acpi',
    '/proc/asound',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/sched_debug',
    '/proc/scsi',
    '/proc/timer_list',
    '/proc/timer_stats',
    '/sys/firmware',
  ]),
  ReadonlyPaths: covers(['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']),
  Ulimits: isWithinUlimits,
  // Engines copy options of their own default driver into it; the one that keeps nothing has no use for them.
  LogConfig: (value, asked: HostOptions['LogConfig']) =>
    recordOf(value)['Type'] === asked.Type ? null : shorten(asked),
  Mounts: isSameMounts,
};

export const CONFIG_RULES: Readonly<Record<string, Rule>> = {
  // The start of the container's id, or the name of the host on the network of the host.
  Hostname: (value) => (typeof value === 'string' ? null : 'a text'),
  // Variables of the image are merged in; none that lurkbox set may be changed.
  Labels: (value, asked: DockerCreateOptions['Labels']) =>
    Object.entries(asked).every(([label, text]) => recordOf(value)[label] === text) ? null : shorten(asked),
};

/** Of these the options as a whole tell what is expected. */
export const BASE_RULES: Readonly<Record<string, Rule>> = {
  Image: (value, { Image }: DockerCreateOptions) => (value === Image ? null : shorten(Image)),
  Path: (value, { Entrypoint: [program] }: DockerCreateOptions) =>
    value === program ? null : shorten(program),
  Args: (value, { Entrypoint: [, ...args], Cmd }: DockerCreateOptions) =>
    isDeepStrictEqual(value, [...args, ...Cmd]) ? null : shorten([...args, ...Cmd]),
  AppArmorProfile: isConfined,
  // Somebody else is about to run a program in it.
  ExecIDs: (value) => (isEmpty(value) ? null : 'none'),
  // An image with a VOLUME would show up here as a mount that nobody asked for.
  Mounts: (value, { HostConfig }: DockerCreateOptions) => {
    const expected = sorted(HostConfig.Mounts.map(toMountPoint));
    return isDeepStrictEqual(mountPointsOf(value), expected) ? null : shorten(expected);
  },
  NetworkSettings: joinsNoOtherNetwork,
};

function anything(): null {
  return null;
}

function covers(paths: readonly string[]): Rule {
  return (value) => {
    const missing = paths.filter((path) => !(Array.isArray(value) && value.includes(path)));
    return missing.length === 0 ? null : `${missing.join(', ')} among them`;
  };
}

// Where lurkbox names no profile, the engine may have one of its own.
function isConfined(value: unknown, { HostConfig }: DockerCreateOptions): string | null {
  const asked = HostConfig.SecurityOpt.find((option) => option.startsWith('apparmor='));
  if (asked === undefined) return value === 'unconfined' ? 'a profile or none' : null;
  const profile = asked.slice('apparmor='.length);
  return value === profile ? null : shorten(profile);
}

/**
 * With these a process could put itself above all others; any other limit of an engine's `default-ulimits`, which
 * `inspect` shows beside those of lurkbox, bounds only the process.
 */
const POWERFUL_ULIMITS = ['nice', 'rtprio'];

function isWithinUlimits(value: unknown, asked: HostOptions['Ulimits']): string | null {
  const limits = Array.isArray(value) ? value : [];
  const names = limits.map((limit) => String(recordOf(limit)['Name']).toLowerCase());
  const hasOurs = asked.every((ours) => limits.some((limit) => isDeepStrictEqual(limit, ours)));
  if (!hasOurs || new Set(names).size !== names.length) return shorten(asked);
  const powerful = names.find((name) => POWERFUL_ULIMITS.includes(name));
  return powerful === undefined ? null : `no limit \`${powerful}\``;
}

function isSameMounts(value: unknown, asked: HostOptions['Mounts']): string | null {
  const mounts = Array.isArray(value) ? value.map(withoutDefaults) : [];
  return isDeepStrictEqual(mounts, asked.map(withoutDefaults)) ? null : shorten(asked);
}

/**
 * A mount without what is false. From Docker 25 on an API before 1.44 adds `ReadOnlyNonRecursive` to read-only binds:
 * what is mounted below them stays writable, and below ours nothing is mounted.
 */
function withoutDefaults(mount: unknown): Record<string, unknown> {
  const { ReadOnly, BindOptions, ...rest } = recordOf(mount);
  const { ReadOnlyNonRecursive, ...options } = recordOf(BindOptions);
  const isNonRecursive = options['NonRecursive'] === true && ReadOnly === true;
  return {
    ...rest,
    ReadOnly: ReadOnly ?? false,
    BindOptions: isNonRecursive ? options : recordOf(BindOptions),
  };
}

interface MountPoint {
  readonly Type: unknown;
  readonly Source: unknown;
  readonly Destination: unknown;
  readonly RW: unknown;
  readonly Propagation: unknown;
}

function toMountPoint({ Type, Source, Target, ReadOnly, BindOptions }: BindMount): MountPoint {
  return { Type, Source, Destination: Target, RW: !ReadOnly, Propagation: BindOptions.Propagation };
}

function mountPointsOf(value: unknown): MountPoint[] {
  if (!Array.isArray(value)) return [];
  return sorted(
    value.map(recordOf).map(({ Type, Source, Destination, RW, Propagation }) => ({
      Type,
      Source,
      Destination,
      RW,
      Propagation,
    })),
  );
}

function sorted(mounts: readonly MountPoint[]): MountPoint[] {
  return mounts.toSorted((a, b) => (String(a.Destination) < String(b.Destination) ? -1 : 1));
}

function joinsNoOtherNetwork(value: unknown, { HostConfig }: DockerCreateOptions): string | null {
  const { Networks, Ports } = recordOf(value);
  const others = Object.keys(recordOf(Networks)).filter((name) => name !== HostConfig.NetworkMode);
  return others.length === 0 && isEmpty(Ports)
    ? null
    : `no network but ${HostConfig.NetworkMode}, and no port`;
}
