import { LurkboxError, type Problem } from '../errors.ts';
import type { Allowance } from '../spec/allowance.ts';

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

/** None of these may be allowed by any rule, whatever its arguments. */
const NEVER_ALLOWED = new Set(
  `acct add_key bpf chroot clock_settime create_module delete_module execveat fanotify_init finit_module fsconfig fsmount
  fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
  keyctl lookup_dcookie memfd_create memfd_secret mknod mknodat modify_ldt mount mount_setattr move_mount
  name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd pidfd_open pivot_root
  process_vm_readv process_vm_writev ptrace quotactl reboot request_key seccomp setdomainname setgid setgroups sethostname
  setns setuid settimeofday shmat shmget msgget semget mq_open socketcall splice swapoff swapon syslog tee umount umount2
  unshare userfaultfd vmsplice capset`.split(/\s+/),
);
const PROCESS_CALLS = ['fork', 'vfork'];
const CLONE_NEW_NAMESPACES = 0x7e020000;
const CLONE_THREAD = 0x00010000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const SOCKET_FAMILIES = [1, 2, 10, 16];

const PROFILE_KEYS = ['defaultAction', 'defaultErrnoRet', 'archMap', 'syscalls'];
const RULE_KEYS = ['names', 'action', 'errnoRet', 'args', 'includes', 'comment'];

function checkSeccompProfile(text: string, exec: boolean): string | null {
  const profile = parseRecord(text);
  if (profile === null || profile['defaultAction'] !== 'SCMP_ACT_ERRNO')
    return 'a profile that denies by default';
  if (hasOtherKeys(profile, PROFILE_KEYS)) return `a profile of ${PROFILE_KEYS.join(', ')} only`;
  if (!Array.isArray(profile['archMap'])) return 'a profile with an `archMap`';
  if (!profile['archMap'].every((arch) => isRecord(arch) && isEmptyList(arch['subArchitectures']))) {
    return 'no second ABI: 32-bit calls go around the filter of their 64-bit twins';
  }
  if (!Array.isArray(profile['syscalls'])) return 'a profile with `syscalls`';
  for (const rule of profile['syscalls']) {
    const problem = checkSyscallRule(rule, exec);
    if (problem !== null) return problem;
  }
  return null;
}

function parseRecord(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function hasOtherKeys(record: object, known: readonly string[]): boolean {
  return Object.keys(record).some((key) => !known.includes(key));
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function checkSyscallRule(rule: unknown, exec: boolean): string | null {
  if (!isRecord(rule) || !isStringList(rule['names'])) return 'rules with `names`';
  if (hasOtherKeys(rule, RULE_KEYS)) return `rules of ${RULE_KEYS.join(', ')} only`;
  if (rule['action'] === 'SCMP_ACT_ERRNO') return null;
  if (rule['action'] !== 'SCMP_ACT_ALLOW') return 'only rules that allow or answer an error';
  const names = rule['names'];
  const args = Array.isArray(rule['args']) ? rule['args'] : [];
  const never = names.find((name) => NEVER_ALLOWED.has(name));
  if (never !== undefined) return `no rule for \`${never}\``;
  if (names.includes('clone3')) return '`clone3` to answer ENOSYS: its flags cannot be read by a filter';
  if (!exec && names.some((name) => PROCESS_CALLS.includes(name))) return 'no new process';
  if (names.includes('clone')) return checkCloneRule(args, exec);
  if (names.includes('socket')) return checkSocketRule(args);
  return null;
}

function checkCloneRule(args: readonly unknown[], exec: boolean): string | null {
  const [flags] = args;
  const ok =
    args.length === 1 &&
    isRecord(flags) &&
    flags['index'] === 0 &&
    flags['op'] === 'SCMP_CMP_MASKED_EQ' &&
    flags['value'] === (exec ? CLONE_NEW_NAMESPACES : CLONE_NEW_NAMESPACES + CLONE_THREAD) &&
    (flags['valueTwo'] ?? 0) === (exec ? 0 : CLONE_THREAD);
  return ok ? null : `\`clone\` for ${exec ? 'processes and ' : ''}threads without namespaces only`;
}

// runc reads two conditions on one argument as "either", so a second one may only be on another argument.
function checkSocketRule(args: readonly unknown[]): string | null {
  const [family, ...others] = args;
  const ok =
    isRecord(family) &&
    family['index'] === 0 &&
    family['op'] === 'SCMP_CMP_EQ' &&
    SOCKET_FAMILIES.includes(Number(family['value'])) &&
    others.every((other) => isRecord(other) && other['index'] !== 0);
  return ok ? null : `\`socket\` for the families ${SOCKET_FAMILIES.join(', ')} by equality only`;
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
