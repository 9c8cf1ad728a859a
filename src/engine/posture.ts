import { isDeepStrictEqual } from 'node:util';
import { LurkboxError, type Problem } from '../errors.ts';
import type { CreateOptions } from './to-create-options.ts';
import { shorten } from './values.ts';

/**
 * Compares what the engine says it created with what it was asked to create, and refuses any difference: an engine may
 * drop a control that it does not know or cannot apply.
 */
export function comparePosture(inspected: unknown, options: CreateOptions): void {
  const { HostConfig, name, Image, Entrypoint, Cmd, NetworkDisabled, ...config } = options;
  const actual = recordOf(inspected);
  const problems = [
    ...difference('', actual, { Image, Path: Entrypoint[0], Args: [...Entrypoint.slice(1), ...Cmd] }),
    ...difference('Config.', configOf(actual, options), { ...config, NetworkDisabled, Volumes: [] }),
    ...difference('HostConfig.', recordOf(actual['HostConfig']), { ...HostConfig, ...NEVER_ASKED_FOR }),
    ...difference('', actual, { Mounts: options.HostConfig.Mounts.map(toMountPoint) }, mountPointsOf),
    ...uncovered(recordOf(actual['HostConfig'])),
  ];
  if (problems.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The engine created a container that is not the one it was asked for; it was removed and nothing ran.',
    { problems },
  );
}

// An image's own labels are merged in beside ours; none of ours may come out changed.
function configOf(
  actual: Readonly<Record<string, unknown>>,
  options: CreateOptions,
): Record<string, unknown> {
  const config = recordOf(actual['Config']);
  const ours = Object.entries(recordOf(config['Labels'])).filter(([label]) =>
    Object.hasOwn(options.Labels, label),
  );
  return { ...config, Labels: Object.fromEntries(ours), Volumes: Object.keys(recordOf(config['Volumes'])) };
}

// Fields that lurkbox never sends and an engine must not fill in by itself.
const NEVER_ASKED_FOR = {
  CgroupParent: '',
  DeviceCgroupRules: [],
  VolumeDriver: '',
  PortBindings: {},
  StorageOpt: {},
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
};

/** The engine hides and protects more of /proc and /sys by itself; without these a container could read or write them. */
const COVERED_PATHS: Readonly<Record<string, readonly string[]>> = {
  MaskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
  ReadonlyPaths: ['/proc/bus', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
};

function uncovered(hostConfig: Readonly<Record<string, unknown>>): Problem[] {
  return Object.entries(COVERED_PATHS).flatMap(([field, paths]) => {
    const actual = hostConfig[field];
    const missing = paths.filter((path) => !(Array.isArray(actual) && actual.includes(path)));
    return missing.map((path) => ({ path: `HostConfig.${field}`, message: `expected ${path} among them` }));
  });
}

type Normalise = (value: unknown) => unknown;

function difference(
  prefix: string,
  actual: Readonly<Record<string, unknown>>,
  expected: object,
  normalise: Normalise = emptyToNull,
): Problem[] {
  return Object.entries(expected).flatMap(([field, wanted]) => {
    const got = normalise(actual[field]);
    if (isDeepStrictEqual(normalise(wanted), got)) return [];
    return [{ path: prefix + field, message: `expected ${shorten(wanted)}, the engine has ${shorten(got)}` }];
  });
}

// Engines write an empty list, object, string and false as they like, and null for all of them.
function emptyToNull(value: unknown): unknown {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return null;
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(emptyToNull);
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .map(([key, entry]) => [key, emptyToNull(entry)] as const)
    .filter(([, entry]) => entry !== null);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

interface MountPoint {
  Source: string;
  Destination: string;
  RW: boolean;
}

function toMountPoint({
  Source,
  Target,
  ReadOnly,
}: CreateOptions['HostConfig']['Mounts'][number]): MountPoint {
  return { Source, Destination: Target, RW: !ReadOnly };
}

// An image with a VOLUME would show up here as a mount that nobody asked for.
function mountPointsOf(value: unknown): MountPoint[] {
  if (!Array.isArray(value)) return [];
  return value
    .map(recordOf)
    .map(({ Source, Destination, RW }) => ({ Source, Destination, RW }) as MountPoint)
    .sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
