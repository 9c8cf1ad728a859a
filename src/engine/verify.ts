import { LurkboxError, type Problem } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';
import { isRecord, isStringList, shorten } from './values.ts';
import { checkSeccompProfile } from './verify-seccomp.ts';

/**
 * The last look before the engine. It reads the finished options as the engine will, shares no code and no value with
 * what built them, and refuses every field that is not known here and every value that is not allowed here.
 */
export function verifyCreateOptions(options: object, allowance: Allowance): void {
  const problems = [
    ...checkFields(options, CONTAINER_RULES, allowance, ''),
    ...checkFields(hostConfigOf(options), HOST_RULES, allowance, 'HostConfig.'),
    ...checkOwnNetwork(options, allowance),
  ];
  if (problems.length === 0) return;
  throw new LurkboxError(
    'ENGINE_INSECURE',
    'The container was not created: its Docker options leave the allowed set.',
    {
      problems,
    },
  );
}

/** Answers what is allowed when the value is not, and `null` when it is. */
type Rule = (value: unknown, allowance: Allowance) => string | null;

function checkFields(
  fields: object,
  rules: Readonly<Record<string, Rule>>,
  allowance: Allowance,
  prefix: string,
): Problem[] {
  const unknown = Object.keys(fields)
    .filter((field) => !Object.hasOwn(rules, field))
    .map((field) => ({ path: prefix + field, message: 'this field is not in the allowed set' }));
  const wrong = Object.entries(rules).flatMap(([field, rule]) => {
    const value: unknown = Reflect.get(fields, field);
    const expected = rule(value, allowance);
    if (expected === null) return [];
    return [{ path: prefix + field, message: `expected ${expected}, got ${shorten(value)}` }];
  });
  return [...unknown, ...wrong];
}

// The network of an execution has the name of its container, and nobody else's is joined.
function checkOwnNetwork(options: object, { network }: Allowance): Problem[] {
  const name: unknown = Reflect.get(options, 'name');
  const mode: unknown = Reflect.get(hostConfigOf(options), 'NetworkMode');
  if (network !== 'bridge' || mode === name) return [];
  return [{ path: 'HostConfig.NetworkMode', message: `expected ${shorten(name)}, got ${shorten(mode)}` }];
}

function hostConfigOf(options: object): object {
  const hostConfig: unknown = Reflect.get(options, 'HostConfig');
  return typeof hostConfig === 'object' && hostConfig !== null ? hostConfig : {};
}

const equals =
  (expected: unknown): Rule =>
  (value) =>
    JSON.stringify(value) === JSON.stringify(expected) ? null : shorten(expected);

const matches =
  (pattern: RegExp, words: string): Rule =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? null : words;

const ANYTHING: Rule = () => null;

const CONTAINER_RULES: Readonly<Record<string, Rule>> = {
  name: matches(/^lurkbox-[a-z0-9-]{1,120}$/, 'a name of ours'),
  Image: matches(/^sha256:[0-9a-f]{64}$/, 'an image id'),
  User: matches(/^[1-9][0-9]{3,}:[1-9][0-9]{3,}$/, 'a uid and a gid that are not root'),
  WorkingDir: equals('/'),
  Entrypoint: checkEntrypoint,
  Cmd: equals([]),
  Env: checkEnv,
  Labels: (value) =>
    isRecord(value) &&
    value['lurkbox.kind'] === 'container' &&
    typeof value['lurkbox.instance'] === 'string' &&
    Object.keys(value).every((label) => label.startsWith('lurkbox.'))
      ? null
      : 'labels of ours only',
  Healthcheck: equals({ Test: ['NONE'] }),
  StopSignal: equals('SIGKILL'),
  NetworkDisabled: (value, { network }) => equals(network === 'none')(value, {} as Allowance),
  OpenStdin: equals(true),
  StdinOnce: equals(true),
  AttachStdin: equals(true),
  AttachStdout: equals(true),
  AttachStderr: equals(true),
  Tty: equals(false),
  HostConfig: (value) => (isRecord(value) ? null : 'an object'),
};

const HOST_RULES: Readonly<Record<string, Rule>> = {
  AutoRemove: equals(false),
  Privileged: equals(false),
  ReadonlyRootfs: equals(true),
  Init: equals(false),
  PublishAllPorts: equals(false),
  OomKillDisable: equals(false),
  NetworkMode: checkNetworkMode,
  IpcMode: equals('none'),
  CgroupnsMode: equals('private'),
  PidMode: equals(''),
  UTSMode: equals(''),
  UsernsMode: equals(''),
  CapDrop: equals(['ALL']),
  CapAdd: equals([]),
  SecurityOpt: checkSecurityOpt,
  Tmpfs: checkTmpfs,
  Mounts: checkMounts,
  Binds: equals([]),
  VolumesFrom: equals([]),
  Links: equals([]),
  Devices: equals([]),
  DeviceRequests: equals([]),
  GroupAdd: equals([]),
  Sysctls: equals({}),
  Memory: atMost(({ memoryBytes }) => memoryBytes),
  // Less than the memory limit is refused by the engine, more would be swap.
  MemorySwap: atMost(({ memoryBytes }) => memoryBytes),
  NanoCpus: atMost(({ cpuCores }) => Math.round(cpuCores * 1e9)),
  PidsLimit: atMost(({ pids }) => pids),
  OomScoreAdj: (value) =>
    typeof value === 'number' && value >= 0 && value <= 1000 ? null : 'between 0 and 1000',
  Ulimits: checkUlimits,
  LogConfig: equals({ Type: 'none', Config: {} }),
  RestartPolicy: equals({ Name: 'no', MaximumRetryCount: 0 }),
  Runtime: (value, { runtime }) => (runtime === null ? ANYTHING : equals(runtime))(value, {} as Allowance),
};

function atMost(limit: (allowance: Allowance) => number): Rule {
  return (value, allowance) =>
    typeof value === 'number' && value > 0 && value <= limit(allowance)
      ? null
      : `more than 0 and at most ${limit(allowance)}`;
}

const HEAP_LIMIT = /^--max-old-space-size=[1-9]\d{0,6}$/;

// Any other option of Node could load code before the runner does.
function checkEntrypoint(value: unknown): string | null {
  const ok =
    isStringList(value) &&
    value.length === 4 &&
    value[0] === '/usr/local/bin/node' &&
    HEAP_LIMIT.test(value[1] ?? '') &&
    value[2] === '--disable-proto=delete' &&
    value[3] === '/lurkbox/runner.cjs';
  return ok ? null : 'Node with a heap limit and `--disable-proto=delete`, and the runner';
}

/** Name → the values that it may have; every one of them must be set, once. */
const ENV: Readonly<Record<string, readonly string[]>> = {
  PATH: ['/nonexistent', '/bin'],
  HOME: ['/tmp'],
  TZ: ['UTC'],
  LANG: ['C.UTF-8'],
  NODE_OPTIONS: [''],
  NODE_EXTRA_CA_CERTS: [''],
  LD_PRELOAD: [''],
  LD_LIBRARY_PATH: [''],
};

function checkEnv(value: unknown, { exec }: Allowance): string | null {
  const expected = `${Object.keys(ENV).join(', ')} with values of ours, each once`;
  if (!isStringList(value) || value.length !== Object.keys(ENV).length) return expected;
  const entries = value.map(
    (entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const,
  );
  if (new Set(entries.map(([name]) => name)).size !== value.length) return expected;
  if (!entries.every(([name, set]) => Object.hasOwn(ENV, name) && ENV[name]?.includes(set))) return expected;
  return exec || value.includes('PATH=/nonexistent')
    ? null
    : '`PATH=/nonexistent` without the permission to execute';
}

function checkNetworkMode(value: unknown, { network }: Allowance): string | null {
  if (network === 'none') return value === 'none' ? null : '`none`';
  if (network === 'host') return value === 'host' ? null : '`host`';
  return typeof value === 'string' && /^lurkbox-[a-z0-9-]{1,120}$/.test(value) ? null : 'a network of ours';
}

function checkSecurityOpt(value: unknown, { exec }: Allowance): string | null {
  if (!isStringList(value)) return 'a list of strings';
  const [noNewPrivileges, seccomp, apparmor, ...rest] = value;
  if (noNewPrivileges !== 'no-new-privileges:true') return '`no-new-privileges:true` first';
  if (seccomp === undefined || !seccomp.startsWith('seccomp={')) return 'an inline seccomp profile second';
  if (apparmor !== undefined && apparmor !== 'apparmor=docker-default')
    return '`apparmor=docker-default` third';
  if (rest.length > 0) return 'nothing more';
  return checkSeccompProfile(seccomp.slice('seccomp='.length), exec);
}

const TMPFS_OPTIONS =
  /^rw,noexec,nosuid,nodev,size=(\d+),nr_inodes=([1-9]\d{0,5}),mode=0700,uid=[1-9]\d{3,},gid=[1-9]\d{3,}$/;

function checkTmpfs(value: unknown, { tmpfs }: Allowance): string | null {
  if (!isRecord(value)) return 'an object';
  for (const [path, options] of Object.entries(value)) {
    const limit = Object.hasOwn(tmpfs, path) ? tmpfs[path] : undefined;
    if (limit === undefined) return `only ${Object.keys(tmpfs).join(', ')}`;
    const size = TMPFS_OPTIONS.exec(String(options))?.[1];
    if (size === undefined || Number(size) <= 0 || Number(size) > limit) {
      return `${path} noexec, nosuid, nodev, private and at most ${limit} bytes`;
    }
  }
  return Object.hasOwn(value, '/tmp') ? null : 'a /tmp';
}

function checkMounts(value: unknown, { mounts }: Allowance): string | null {
  const expected = mounts.map(({ hostPath, containerPath, readOnly }) => ({
    Type: 'bind',
    Source: hostPath,
    Target: containerPath,
    ReadOnly: readOnly,
    BindOptions: { Propagation: 'rprivate', NonRecursive: true },
  }));
  if (mounts.some(({ containerPath }) => !/^\/mnt\/[a-z0-9-]+$/.test(containerPath)))
    return 'mounts below /mnt';
  return equals(expected)(value, {} as Allowance);
}

/** Name of the limit → the most that is allowed; every one of them must be set. */
const ULIMITS: Readonly<Record<string, (allowance: Allowance) => number>> = {
  nofile: () => 1024,
  core: () => 0,
  memlock: () => 1024 * 1024,
  msgqueue: () => 0,
  // The largest file that fits into a tmpfs.
  fsize: ({ tmpfs }) => Math.max(...Object.values(tmpfs)),
  // A day on 64 cores, twice.
  cpu: () => 2 * 64 * 24 * 3600 + 30,
};

function checkUlimits(value: unknown, allowance: Allowance): string | null {
  const expected = `hard limits for ${Object.keys(ULIMITS).join(', ')}`;
  if (!Array.isArray(value) || value.length !== Object.keys(ULIMITS).length) return expected;
  const seen = new Set<unknown>();
  for (const limit of value) {
    if (!isRecord(limit)) return expected;
    const { Name: name, Soft: soft, Hard: hard } = limit;
    const most =
      typeof name === 'string' && Object.hasOwn(ULIMITS, name) ? ULIMITS[name]?.(allowance) : undefined;
    if (most === undefined || typeof hard !== 'number' || soft !== hard || hard < 0 || hard > most)
      return expected;
    seen.add(name);
  }
  return seen.size === value.length ? null : expected;
}
