/**
 * A second opinion on what a manifest and a policy lead to. It reads the documents as they are written, knows nothing of
 * the source, and states what must hold of a body instead of what it must be.
 */

const MIB = 1024 * 1024;
const GIVEN_DIGEST = `sha256:${'a'.repeat(64)}`;

type Numbers = Readonly<Record<string, number | undefined>>;

/** The parts of a written manifest that ask for something. */
export interface Written {
  readonly name: string;
  readonly version: string;
  readonly resources?: Numbers;
  readonly permissions?: {
    readonly filesystem?:
      | boolean
      | { readonly scratch?: boolean; readonly mounts?: Record<string, 'ro' | 'rw'> };
    readonly network?: boolean | 'host' | object;
    readonly exec?: boolean;
    readonly secrets?: readonly string[];
  };
}

interface WrittenRules {
  readonly scratch?: boolean;
  readonly bridge?: boolean;
  readonly host_network?: boolean;
  readonly exec?: boolean;
}

interface WrittenProxy {
  readonly url: string;
  readonly no_proxy?: readonly string[];
}

export interface WrittenPolicy {
  readonly proxy?: WrittenProxy;
  readonly time_zone?: string;
  readonly locale?: string;
  readonly ceilings?: Numbers;
  readonly allow?: WrittenRules & { readonly mounts?: Record<string, { path: string; mode: 'ro' | 'rw' }> };
  readonly oci_runtime?: string;
  readonly plugins?: Record<
    string,
    {
      readonly digest?: string;
      readonly ceilings?: Numbers;
      readonly resources?: Numbers;
      readonly allow?: WrittenRules & { readonly mounts?: readonly string[] };
      readonly oci_runtime?: string;
      readonly proxy?: WrittenProxy | false;
      readonly time_zone?: string;
      readonly locale?: string;
    }
  >;
}

/** What may run, in plain words and numbers. */
export interface Verdict {
  readonly network: 'none' | 'bridge' | 'host';
  readonly exec: boolean;
  readonly scratch: boolean;
  readonly mounts: ReadonlyMap<string, { path: string; mode: 'ro' | 'rw' }>;
  readonly numbers: Readonly<Record<string, number>>;
  readonly ceilings: Readonly<Record<string, number>>;
  readonly runtime: string | null;
  /** What it has beside the usual variables, each with its value. */
  readonly variables: readonly string[];
}

/** name → [where nobody says anything, smallest, largest where the policy says nothing] */
const NUMBERS: Readonly<Record<string, readonly [silent: number, floor: number, ceiling: number]>> = {
  memory_mb: [512, 64, 1024],
  cpu_percent: [80, 5, 100],
  timeout_seconds: [30, 0.1, 120],
  pids: [64, 16, 128],
  output_kb: [1024, 4, 16_384],
  tmp_mb: [64, 1, 256],
  scratch_mb: [128, 1, 512],
};

/** `null`: it has to be denied. */
export function judge(manifest: Written, policy: WrittenPolicy): Verdict | null {
  const own = policy.plugins?.[manifest.name];
  const { filesystem = false, network = false, exec = false, secrets = [] } = manifest.permissions ?? {};
  const scratch = typeof filesystem === 'object' ? (filesystem.scratch ?? false) : filesystem;
  const asked = typeof filesystem === 'object' ? (filesystem.mounts ?? {}) : {};
  const may = (what: keyof WrittenRules, otherwise = false): boolean =>
    own?.allow?.[what] ?? policy.allow?.[what] ?? otherwise;

  if (own?.digest !== undefined && own.digest !== GIVEN_DIGEST) return null;
  if (secrets.length > 0 || typeof network === 'object') return null;
  if (network === true && !may('bridge')) return null;
  const bothSwitches = policy.allow?.host_network === true && own?.allow?.host_network === true;
  if (network === 'host' && !bothSwitches) return null;
  if (exec && !may('exec')) return null;
  if (scratch && !may('scratch', true)) return null;
  if (!scratch && manifest.resources?.['scratch_mb'] !== undefined) return null;

  const mounts = new Map<string, { path: string; mode: 'ro' | 'rw' }>();
  for (const [name, mode] of Object.entries(asked)) {
    const bound = own?.allow?.mounts?.includes(name) ? policy.allow?.mounts?.[name] : undefined;
    if (bound === undefined || (mode === 'rw' && bound.mode !== 'rw')) return null;
    mounts.set(name, { path: bound.path, mode });
  }

  const numbers: Record<string, number> = {};
  const ceilings: Record<string, number> = {};
  for (const [key, [silent, floor, standard]] of Object.entries(NUMBERS)) {
    const ceiling = own?.ceilings?.[key] ?? policy.ceilings?.[key] ?? standard;
    const said = own?.resources?.[key] ?? manifest.resources?.[key];
    // tmpfs is memory: where nobody says how large, each takes at most its share of half of it.
    const share = Math.max(1, Math.floor((numbers['memory_mb'] ?? 0) / (scratch ? 4 : 2)));
    const usual = key === 'tmp_mb' || key === 'scratch_mb' ? Math.min(silent, share) : silent;
    const number = said ?? Math.min(usual, ceiling);
    if (number > ceiling || number < floor) return null;
    numbers[key] = number;
    ceilings[key] = ceiling;
  }
  const tmpfs = numbers['tmp_mb']! + (scratch ? numbers['scratch_mb']! : 0);
  if (tmpfs >= numbers['memory_mb']!) return null;
  return {
    network: network === true ? 'bridge' : network === 'host' ? 'host' : 'none',
    exec,
    scratch,
    mounts,
    numbers,
    ceilings,
    runtime: own?.oci_runtime ?? policy.oci_runtime ?? null,
    variables: [
      `TZ=${own?.time_zone ?? policy.time_zone ?? 'UTC'}`,
      `LANG=${(own?.locale ?? policy.locale)?.split('-').join('_').concat('.UTF-8') ?? 'C.UTF-8'}`,
      ...(network === false ? [] : proxyVariables(own?.proxy ?? policy.proxy)),
    ],
  };
}

function proxyVariables(proxy: WrittenProxy | false | undefined): string[] {
  if (!proxy) return [];
  const straight = ['localhost', '127.0.0.1', '::1', ...(proxy.no_proxy ?? [])].join(',');
  const pairs = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: straight };
  return [
    'NODE_USE_ENV_PROXY=1',
    ...Object.entries(pairs).flatMap(([name, value]) => [
      `${name}=${value}`,
      `${name.toLowerCase()}=${value}`,
    ]),
  ];
}

interface Body {
  readonly [field: string]: unknown;
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** Everything that the body says and may not say under the verdict. */
export function objectionsTo(
  body: Body,
  verdict: Verdict,
  engine: { apparmor: boolean; runtime: string },
): string[] {
  return Object.entries(statements(body, verdict, engine))
    .filter(([, holds]) => !holds)
    .map(([statement]) => statement);
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const FIELDS =
  'name Image User WorkingDir Entrypoint Cmd Env Labels Healthcheck StopSignal NetworkDisabled OpenStdin StdinOnce ' +
  'AttachStdin AttachStdout AttachStderr Tty HostConfig';
const HOST_FIELDS =
  'AutoRemove Privileged ReadonlyRootfs Init PublishAllPorts OomKillDisable NetworkMode IpcMode CgroupnsMode PidMode ' +
  'UTSMode UsernsMode CapDrop CapAdd SecurityOpt Tmpfs Mounts Binds VolumesFrom Links Devices DeviceRequests GroupAdd ' +
  'Sysctls Memory MemorySwap NanoCpus PidsLimit OomScoreAdj Ulimits LogConfig RestartPolicy Runtime';

function statements(
  { HostConfig: host, ...config }: Body,
  { network, exec, scratch, mounts, numbers, ceilings, runtime, variables }: Verdict,
  engine: { apparmor: boolean; runtime: string },
): Record<string, boolean> {
  const memory = numbers['memory_mb']! * MIB;
  const tmpfs = host['Tmpfs'] as Record<string, string>;
  const sizes = Object.values(tmpfs).map((options) => Number(/,size=(\d+),/.exec(options)?.[1]));
  const limits = new Map(
    (host['Ulimits'] as { Name: string; Soft: number; Hard: number }[]).map((l) => [l.Name, l]),
  );
  const most = (name: string): number =>
    Math.max(limits.get(name)?.Soft ?? Infinity, limits.get(name)?.Hard ?? Infinity);
  const burnt = (numbers['timeout_seconds']! * numbers['cpu_percent']!) / 100;
  const security = host['SecurityOpt'] as string[];
  const env = config['Env'] as string[];
  return {
    'has no field that is not in the reference': Object.keys(config).every((field) =>
      FIELDS.split(' ').includes(field),
    ),
    'has no host field that is not in the reference': Object.keys(host).every((field) =>
      HOST_FIELDS.split(' ').includes(field),
    ),
    'has every field': FIELDS.split(' ').every((field) => field === 'HostConfig' || field in config),
    'has every host field': HOST_FIELDS.split(' ').every((field) => field in host),
    'names the image by its id': /^sha256:[0-9a-f]{64}$/.test(String(config['Image'])),
    'is not root': /^[1-9]\d{3,}:[1-9]\d{3,}$/.test(String(config['User'])),
    'starts in /': config['WorkingDir'] === '/',
    'runs Node and the runner and nothing of the plugin':
      /^\/usr\/local\/bin\/node --max-old-space-size=\d+ \/lurkbox\/runner\.cjs$/.test(
        (config['Entrypoint'] as string[]).join(' '),
      ),
    'leaves V8 less than the memory':
      Number(/=(\d+)$/.exec((config['Entrypoint'] as string[])[1] ?? '')?.[1]) * MIB < memory,
    'has no arguments from an image': isEmptyList(config['Cmd']),
    'blanks what loads code': [
      'NODE_OPTIONS=',
      'NODE_EXTRA_CA_CERTS=',
      'LD_PRELOAD=',
      'LD_LIBRARY_PATH=',
    ].every((entry) => env.includes(entry)),
    'sets each variable once':
      new Set(env.map((entry) => entry.split('=')[0])).size === env.length &&
      env.length === 7 + variables.length,
    'shows the clock, speaks the language and takes the way out of the policy': variables.every((entry) =>
      env.includes(entry),
    ),
    'finds programs only with the permission': env.includes(
      exec ? 'PATH=/bin:/usr/local/bin' : 'PATH=/nonexistent',
    ),
    'has labels of ours only': Object.keys(config['Labels'] as object).every((label) =>
      label.startsWith('lurkbox.'),
    ),
    'has no health check': same(config['Healthcheck'], { Test: ['NONE'] }),
    'is ended by SIGKILL': config['StopSignal'] === 'SIGKILL',
    'has no terminal': config['Tty'] === false,
    'reads its context from a stream that ends with us':
      config['OpenStdin'] === true && config['StdinOnce'] === true,
    'is attached': ['AttachStdin', 'AttachStdout', 'AttachStderr'].every((field) => config[field] === true),
    'has no network unless granted': (config['NetworkDisabled'] === true) === (network === 'none'),
    'is on its own network or none or, if granted, on that of the host':
      host['NetworkMode'] === (network === 'bridge' ? config['name'] : network),
    'is not privileged': host['Privileged'] === false,
    'has a read-only root': host['ReadonlyRootfs'] === true,
    'has no capability': same(host['CapDrop'], ['ALL']) && isEmptyList(host['CapAdd']),
    'cannot gain privileges': security[0] === 'no-new-privileges:true',
    'has an inline seccomp profile': security[1]?.startsWith('seccomp={') === true,
    'has a seccomp profile for what is granted': isFitting(
      security[1]?.slice('seccomp='.length) ?? '{}',
      exec,
    ),
    'uses AppArmor where there is one': same(
      security.slice(2),
      engine.apparmor ? ['apparmor=docker-default'] : [],
    ),
    'shares no namespace': same(
      ['PidMode', 'UTSMode', 'UsernsMode', 'IpcMode', 'CgroupnsMode'].map((field) => host[field]),
      ['', '', '', 'none', 'private'],
    ),
    'has no door to the host': [
      'Binds',
      'VolumesFrom',
      'Links',
      'Devices',
      'DeviceRequests',
      'GroupAdd',
    ].every((field) => isEmptyList(host[field])),
    'sets no value of the kernel but what makes the queues of sockets small': isSmallQueues(
      host['Sysctls'] as Readonly<Record<string, string>>,
      network,
    ),
    'publishes no port': host['PublishAllPorts'] === false,
    'runs without init, restart, log and self-removal':
      host['Init'] === false &&
      host['AutoRemove'] === false &&
      same(host['RestartPolicy'], { Name: 'no', MaximumRetryCount: 0 }) &&
      same(host['LogConfig'], { Type: 'none', Config: {} }),
    'mounts what is granted, and nothing else': same(
      (host['Mounts'] as object[]).map((mount) => ({ ...mount })),
      [...mounts].map(([name, { path, mode }]) => ({
        Type: 'bind',
        Source: path,
        Target: `/mnt/${name}`,
        ReadOnly: mode === 'ro',
        BindOptions: { Propagation: 'rprivate', NonRecursive: true },
      })),
    ),
    'has a /tmp, and a /scratch only if granted': same(
      Object.keys(tmpfs),
      scratch ? ['/tmp', '/scratch'] : ['/tmp'],
    ),
    'runs nothing from a tmpfs': Object.values(tmpfs).every((options) =>
      /^rw,noexec,nosuid,nodev,size=[1-9]\d*,nr_inodes=[1-9]\d*,mode=0700,uid=[1-9]\d*,gid=[1-9]\d*$/.test(
        options,
      ),
    ),
    'gives each tmpfs the size that is granted': same(
      sizes,
      [numbers['tmp_mb']!, ...(scratch ? [numbers['scratch_mb']!] : [])].map((size) => size * MIB),
    ),
    'keeps every tmpfs within its ceiling': sizes.every(
      (size, index) => size <= ceilings[index === 0 ? 'tmp_mb' : 'scratch_mb']! * MIB,
    ),
    'has all of its files in memory': sizes.reduce((sum, size) => sum + size, 0) < memory,
    'has the memory that is granted, and no swap': host['Memory'] === memory && host['MemorySwap'] === memory,
    'keeps the memory within its ceiling': Number(host['Memory']) <= ceilings['memory_mb']! * MIB,
    'has the share of a core that is granted': host['NanoCpus'] === numbers['cpu_percent']! * 10_000_000,
    'keeps the share of a core within its ceiling':
      Number(host['NanoCpus']) <= ceilings['cpu_percent']! * 10_000_000,
    'has the number of processes that is granted': host['PidsLimit'] === numbers['pids'],
    'keeps the number of processes within its ceiling': Number(host['PidsLimit']) <= ceilings['pids']!,
    'may be killed by the kernel, and first':
      host['OomKillDisable'] === false && Number(host['OomScoreAdj']) > 0,
    'has six limits': limits.size === 6 && (host['Ulimits'] as object[]).length === 6,
    'bounds descriptors': most('nofile') <= 1024,
    'dumps no core': most('core') === 0,
    'locks next to no memory': most('memlock') <= MIB,
    'has no message queues': most('msgqueue') === 0,
    'writes no file that is larger than its largest tmpfs': most('fsize') === Math.max(...sizes),
    'burns what its deadline allows, and no more than that twice and a start':
      most('cpu') >= burnt && most('cpu') <= burnt * 2 + 31,
    'runs under the granted runtime': host['Runtime'] === (runtime ?? engine.runtime),
  };
}

/** What a queue of connections that nobody accepts can hold, for each descriptor that listens. */
const LARGEST_QUEUE_BYTES = 2 * MIB;

function isSmallQueues(sysctls: Readonly<Record<string, string>>, network: string): boolean {
  if (network === 'host') return same(sysctls, {});
  const largest = (name: string): number => Number(sysctls[name]?.split(' ').at(-1));
  const both = largest('net.ipv4.tcp_rmem') + largest('net.ipv4.tcp_wmem');
  return (
    Object.keys(sysctls).every((name) => /^net\.(core\.somaxconn|ipv4\.tcp_[a-z_]+)$/.test(name)) &&
    both * (largest('net.core.somaxconn') + 1) <= LARGEST_QUEUE_BYTES
  );
}

const DANGEROUS =
  /^(ptrace|mount|umount2?|unshare|setns|bpf|keyctl|add_key|request_key|execveat|memfd_.*|io_uring_.*|perf_event_open|userfaultfd|process_vm_.*|pidfd_.*|open_by_handle_at|name_to_handle_at|personality|set(re|res|fs)?[ug]id|setgroups|capset|chroot|pivot_root|.*_module|kexec.*|splice|tee|vmsplice|shm.*|sem.*|msg.*|mq_.*|socketcall|reboot|swapo.*|syslog|iopl|ioperm|seccomp|fanotify.*|mknod(at)?|chown|[fl]chown(at)?|modify_ldt|clone3)$/;

const known = new Map<string, boolean>();

/** There are two profiles, and many bodies. */
function isFitting(text: string, exec: boolean): boolean {
  const key = `${exec}${text}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const holds = text.startsWith('{') && fits(JSON.parse(text), exec);
  known.set(key, holds);
  return holds;
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly { index: number; value: number; valueTwo?: number; op: string }[];
}

/** Both arguments are told by equality, and of the level of all sockets none sizes a buffer. */
function isHarmlessOption({ args: [level, option] = [] }: Rule): boolean {
  if (level?.index !== 1 || level.op !== 'SCMP_CMP_EQ') return false;
  if (level.value !== 1) return [0, 6, 17, 41].includes(level.value);
  const sizesBuffer = [7, 8, 32, 33].includes(option?.value ?? 7);
  return option?.index === 2 && option.op === 'SCMP_CMP_EQ' && !sizesBuffer;
}

function fits(profile: Record<string, unknown>, exec: boolean): boolean {
  const rules = (profile['syscalls'] ?? []) as Rule[];
  // Without a tracer, TRACE answers ENOSYS.
  const allowed = rules.filter(({ action }) => !['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'].includes(action));
  const names = allowed.flatMap((rule) => rule.names);
  const families = allowed.filter((rule) =>
    rule.names.some((name) => name.startsWith('socketpair') || name === 'socket'),
  );
  const options = allowed.filter((rule) => rule.names.includes('setsockopt'));
  const clones = allowed.filter((rule) => rule.names.includes('clone'));
  const [clone] = clones[0]?.args ?? [];
  return (
    profile['defaultAction'] === 'SCMP_ACT_ERRNO' &&
    allowed.every(({ action }) => action === 'SCMP_ACT_ALLOW') &&
    ((profile['archMap'] ?? []) as { subArchitectures: [] }[]).every(({ subArchitectures }) =>
      isEmptyList(subArchitectures),
    ) &&
    !names.some((name) => DANGEROUS.test(name)) &&
    options.every(isHarmlessOption) &&
    names.includes('fork') === exec &&
    names.includes('vfork') === exec &&
    clones.length === 1 &&
    clone?.op === 'SCMP_CMP_MASKED_EQ' &&
    clone.value === 0x7e02_0000 + (exec ? 0 : 0x1_0000) &&
    clone.valueTwo === (exec ? 0 : 0x1_0000) &&
    families.every(
      ({ args: [family] = [] }) =>
        family?.index === 0 && family.op === 'SCMP_CMP_EQ' && [1, 2, 10, 16].includes(family.value),
    )
  );
}
