import type { Path } from './mutate.ts';

/** A change of one field, written by hand because somebody could want it, or a fault could lead to it. */
export interface Curated {
  /** Below the field. @default the field itself */
  readonly at?: Path;
  /** Absent: what is there is removed. */
  readonly to?: unknown;
  /** @default `minimal` */
  readonly reference?: string;
  /** The place that has to be named. @default the place of the change */
  readonly names?: string;
}

const to = (...values: unknown[]): Curated[] => values.map((value) => ({ to: value }));
const at = (path: Path, ...values: unknown[]): Curated[] => values.map((value) => ({ at: path, to: value }));
const without = (...paths: Path[]): Curated[] => paths.map((path) => ({ at: path }));
/** A list of another length is told as a whole. */
const of = (field: string, ...changes: Curated[][]): Curated[] =>
  changes.flat().map((change) => ({ ...change, names: field }));
const under = (reference: string, ...changes: Curated[][]): Curated[] =>
  changes.flat().map((change) => ({ ...change, reference }));

const MIB = 1024 * 1024;
const tmpfs = (options: string): string => `rw,${options},mode=0700,uid=65532,gid=65532`;

export const CONFIG_MUTATIONS: Readonly<Record<string, readonly Curated[]>> = {
  name: to('somebody-elses', 'lurkbox-../etc', 'lurkbox-0a1b2c3e', 'LURKBOX-0a1b2c3d'),
  Image: to(
    'node:24',
    'sha256:short',
    `sha256:${'f'.repeat(64)}`,
    `sha256:${'C0DE'.repeat(16)}`,
    'c0de'.repeat(16),
  ),
  User: to(
    '0:0',
    'root',
    '65532',
    '65532:0',
    '0:65532',
    '65533:65532',
    '65532:65533',
    '1000:1000',
    '065532:65532',
  ),
  WorkingDir: to('/proc/self/fd/8', '/plugin', '//', '.'),
  Entrypoint: [
    ...to(['/bin/sh', '-c'], '/usr/local/bin/node'),
    ...to(['/usr/local/bin/node', '--import=/plugin/index.js', '--', '/lurkbox/runner.cjs']),
    ...at([1], '--import=/plugin/index.js'),
    ...at([0], '/usr/local/bin/../bin/node', 'node'),
    ...at(
      [1],
      '--max-old-space-size=417',
      '--max-old-space-size=0',
      '--max-heap-size=416',
      '--inspect=0.0.0.0',
    ),
    ...at([2], '--expose-gc', '--require=/plugin/index.js'),
    ...at([2], '/plugin/index.mjs', '/lurkbox/../plugin/index.mjs'),
    ...of('Entrypoint', at([3], '--inspect'), without([1])),
  ],
  Cmd: of('Cmd', to(['--eval'], [''])),
  Env: [
    ...of('Env', at([9], 'SECRET=1', 'NODE_OPTIONS=--require=/plugin/index.js', 'PATH=/nonexistent')),
    ...of('Env', without([0], [2], [5], [6], [7], [8])),
    ...at([0], 'PATH=/bin', 'PATH=', 'path=/nonexistent', 'PATH'),
    ...at([2], 'TMPDIR=/plugin'),
    ...at([5], 'NODE_OPTIONS=--inspect', 'NODE_OPTIONS', 'NODE_DEBUG=', 'NODE_PATH=/plugin'),
    ...at([6], 'NODE_EXTRA_CA_CERTS=/plugin/ca.pem'),
    ...at([7], 'LD_PRELOAD=/plugin/x.so'),
    ...at([8], 'LD_LIBRARY_PATH=/plugin'),
    ...under('exec', at([0], 'PATH=/nonexistent', 'PATH=/bin:/tmp')),
  ],
  Labels: [
    ...at(['lurkbox.kind'], 'image', 'network', 'Container'),
    ...at(['lurkbox.instance'], 'i-2'),
    ...at(['lurkbox.host'], 'h-2'),
    ...at(['lurkbox.boot'], 'b-2'),
    ...at(['lurkbox.process'], '1:1:1'),
    ...at(['lurkbox.execution'], '0a1b2c3e'),
    ...at(['lurkbox.plugin'], 'other'),
    ...at(['lurkbox.version'], '1.0.1'),
    ...at(['com.example'], 'x'),
    ...at(['lurkbox.other'], 'x'),
    ...at(['LURKBOX.KIND'], 'container'),
    ...without(
      ['lurkbox.kind'],
      ['lurkbox.instance'],
      ['lurkbox.host'],
      ['lurkbox.boot'],
      ['lurkbox.process'],
    ),
    ...without(['lurkbox.execution'], ['lurkbox.plugin'], ['lurkbox.version']),
  ],
  Healthcheck: [
    ...of('Healthcheck.Test', at(['Test'], [], ['NONE', 'x'])),
    ...at(['Test', 0], 'CMD', 'CMD-SHELL', 'none'),
    ...at(['Test'], ['CMD', 'true']).map((change) => ({ ...change, names: 'Healthcheck.Test' })),
  ],
  StopSignal: to('SIGTERM', 'sigkill', '9'),
  NetworkDisabled: [...to(false), ...under('bridge', to(true)), ...under('host-network', to(true))],
  OpenStdin: to(false),
  StdinOnce: to(false),
  AttachStdin: to(false),
  AttachStdout: to(false),
  AttachStderr: to(false),
  Tty: to(true),
  HostConfig: of('HostConfig.Privileged', to({}, { privileged: false })),
};

export const HOST_CONFIG_MUTATIONS: Readonly<Record<string, readonly Curated[]>> = {
  AutoRemove: to(true),
  Privileged: to(true),
  ReadonlyRootfs: to(false),
  Init: to(true),
  PublishAllPorts: to(true),
  OomKillDisable: to(true),
  NetworkMode: [
    ...to('bridge', 'host', 'default', '', 'container:0a1b', 'lurkbox-0a1b2c3d', 'NONE'),
    ...under('bridge', to('none', 'host', 'bridge', 'lurkbox-other', 'container:0a1b')),
    ...under('host-network', to('none', 'bridge', 'lurkbox-0a1b2c3d')),
  ],
  IpcMode: to('host', 'shareable', 'private', '', 'container:0a1b'),
  CgroupnsMode: to('host', ''),
  PidMode: to('host', 'container:0a1b', 'private'),
  UTSMode: to('host'),
  UsernsMode: to('host'),
  CapDrop: [
    ...of('HostConfig.CapDrop', to([], ['ALL', 'NET_RAW'])),
    ...at([0], 'NET_RAW', 'all', 'CAP_ALL', 'NONE'),
  ],
  CapAdd: of('HostConfig.CapAdd', to(['SYS_ADMIN'], ['ALL'], ['NET_BIND_SERVICE'])),
  SecurityOpt: [
    ...of(
      'HostConfig.SecurityOpt',
      to([]),
      at([2], 'apparmor=unconfined', 'label=disable', 'systempaths=unconfined'),
    ),
    ...of(
      'HostConfig.SecurityOpt',
      at([2], 'apparmor=docker-default', 'no-new-privileges:false'),
      without([0], [1]),
    ),
    ...at(
      [0],
      'no-new-privileges:false',
      'no-new-privileges',
      'no-new-privileges=false',
      'No-New-Privileges:true',
    ),
    ...at(
      [1],
      'seccomp=unconfined',
      'seccomp=builtin',
      'seccomp={',
      'seccomp=/etc/profile.json',
      'seccomp:unconfined',
    ),
    ...at([1], 'seccomp={} ', 'seccomp=[]', 'SECCOMP={}', 'label=disable'),
    ...under('apparmor', of('HostConfig.SecurityOpt', without([2]), at([3], 'systempaths=unconfined'))),
    ...under(
      'apparmor',
      at([2], 'apparmor=unconfined', 'apparmor=', 'apparmor=other', 'apparmor:unconfined'),
    ),
  ],
  Tmpfs: [
    ...at(
      ['/tmp'],
      tmpfs(`exec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096`),
      tmpfs(`nosuid,nodev,size=${64 * MIB},nr_inodes=4096`),
      tmpfs(`noexec,suid,nodev,size=${64 * MIB},nr_inodes=4096`),
      tmpfs(`noexec,nosuid,dev,size=${64 * MIB},nr_inodes=4096`),
      tmpfs(`noexec,nosuid,nodev,size=${65 * MIB},nr_inodes=4096`),
      tmpfs(`noexec,nosuid,nodev,size=${63 * MIB},nr_inodes=4096`),
      tmpfs('noexec,nosuid,nodev,size=0,nr_inodes=4096'),
      tmpfs('noexec,nosuid,nodev,size=50%,nr_inodes=4096'),
      tmpfs('noexec,nosuid,nodev,nr_inodes=4096'),
      tmpfs(`noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=0`),
      tmpfs(`noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=8192`),
      tmpfs(`noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096,exec`),
      tmpfs(`noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096,huge=always`),
      `rw,noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096,mode=1777,uid=65532,gid=65532`,
      `rw,noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096,mode=0700,uid=0,gid=65532`,
      `rw,noexec,nosuid,nodev,size=${64 * MIB},nr_inodes=4096,mode=0700,uid=65532,gid=0`,
    ),
    ...at(['/run'], tmpfs('noexec,nosuid,nodev,size=1048576,nr_inodes=16')),
    ...at(['/scratch'], tmpfs('noexec,nosuid,nodev,size=1048576,nr_inodes=16384')),
    ...at(['/lurkbox'], ''),
    ...without(['/tmp']),
    ...under('scratch', without(['/scratch']), at(['/scratch'], 'rw')),
  ],
  Mounts: [
    ...of('HostConfig.Mounts', to([{ Type: 'bind', Source: '/', Target: '/mnt/host', ReadOnly: true }])),
    ...of('HostConfig.Mounts', to([{ Type: 'volume', Source: 'v', Target: '/v' }])),
    ...under(
      'mounts',
      of('HostConfig.Mounts', without([0], [1]), to([])),
      at([0, 'Type'], 'volume', 'tmpfs', 'npipe', 'image', 'cluster', 'BIND'),
      at(
        [0, 'Source'],
        '/',
        '/srv',
        '/srv/data/..',
        '/srv/data/',
        '/srv/Data',
        '/var/run/docker.sock',
        'data',
      ),
      at([0, 'Target'], '/mnt/other', '/lurkbox', '/', '/mnt/data/..', '/mnt/out'),
      at([0, 'ReadOnly'], false),
      at([1, 'ReadOnly'], true),
      at([0, 'BindOptions', 'Propagation'], 'rshared', 'shared', 'rslave', 'private', ''),
      at([0, 'BindOptions', 'NonRecursive'], false),
      without([0, 'Type'], [0, 'Source'], [0, 'Target'], [0, 'ReadOnly'], [0, 'BindOptions']),
      without([0, 'BindOptions', 'Propagation'], [0, 'BindOptions', 'NonRecursive']),
    ),
  ],
  Binds: of(
    'HostConfig.Binds',
    to(['/:/host'], ['/var/run/docker.sock:/var/run/docker.sock:ro'], ['v:/data']),
  ),
  VolumesFrom: of('HostConfig.VolumesFrom', to(['other'])),
  Links: of('HostConfig.Links', to(['other:other'])),
  Devices: of(
    'HostConfig.Devices',
    to([{ PathOnHost: '/dev/kvm', PathInContainer: '/dev/kvm', CgroupPermissions: 'rwm' }]),
  ),
  DeviceRequests: of('HostConfig.DeviceRequests', to([{ Driver: 'nvidia', Count: -1 }])),
  GroupAdd: of('HostConfig.GroupAdd', to(['0'], ['docker'])),
  Sysctls: [
    ...at(['net.ipv4.ip_forward'], '1'),
    ...at(['net.ipv4.tcp_rmem'], '4096 131072 33554432', '4096 16384 16385', '4096 4096 4096'),
    ...at(['net.core.somaxconn'], '4096', '15', 16),
  ],
  Memory: to(513 * MIB, 511 * MIB, 0, -1, '536870912', 536_870_912.5),
  MemorySwap: to(-1, 0, 1024 * MIB, 511 * MIB),
  NanoCpus: to(0, -1, 800_000_001, 799_999_999, 64_000_000_000),
  PidsLimit: to(0, -1, 65, 63),
  OomScoreAdj: to(-1000, 0, 499, 501, 1000),
  Ulimits: [
    ...of('HostConfig.Ulimits', to([]), without([0], [1], [2], [3], [4], [5])),
    ...of(
      'HostConfig.Ulimits',
      at([6], { Name: 'rtprio', Soft: 99, Hard: 99 }, { Name: 'core', Soft: -1, Hard: -1 }),
    ),
    ...at([0, 'Name'], 'nproc', 'NOFILE', 'core'),
    ...at([0, 'Soft'], 1_048_576, 255, -1),
    ...at([0, 'Hard'], 1_048_576, 257, -1),
    ...at([1, 'Hard'], 1, -1),
    ...at([1, 'Soft'], 1, -1),
    ...at([2, 'Hard'], -1, 65_537),
    ...at([3, 'Hard'], 1, 819_200),
    ...at([4, 'Hard'], 64 * MIB + 1, -1, 0),
    ...at([5, 'Hard'], 79, -1, 0),
    ...under('everything', at([5, 'Hard'], 39), at([4, 'Hard'], 257 * MIB)),
  ],
  LogConfig: [...at(['Type'], 'json-file', 'local', ''), ...at(['Config', 'max-size'], '1g')],
  RestartPolicy: [
    ...at(['Name'], 'always', 'on-failure', 'unless-stopped', ''),
    ...at(['MaximumRetryCount'], 1, -1),
  ],
  Runtime: [
    ...to('runsc', '', 'RUNC', 'io.containerd.runc.v2'),
    ...under('runtime', to('runc', '', 'runsc-other')),
    ...under('other-default-runtime', to('runc', '')),
  ],
};

/** Changes inside the seccomp profile of the minimal body; the place that is named is the option. */
export const SECCOMP_MUTATIONS: readonly Curated[] = [
  ...at(
    ['defaultAction'],
    'SCMP_ACT_ALLOW',
    'SCMP_ACT_LOG',
    'SCMP_ACT_TRACE',
    'SCMP_ACT_KILL',
    'scmp_act_errno',
  ),
  ...at(['DefaultAction'], 'SCMP_ACT_ALLOW'),
  ...at(['defaultErrnoRet'], 0, 38),
  ...at(['architectures'], ['SCMP_ARCH_X86']),
  ...at(['archMap', 0, 'subArchitectures'], ['SCMP_ARCH_X86'], ['SCMP_ARCH_X32']),
  ...at(['archMap', 0, 'architecture'], 'SCMP_ARCH_X86'),
  ...at(['archMap', 2], { architecture: 'SCMP_ARCH_S390X', subArchitectures: [] }),
  ...at(['flags'], ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'], ['SECCOMP_FILTER_FLAG_LOG']),
  ...at(['listenerPath'], '/tmp/listener'),
  ...at(['syscalls', 0, 'action'], 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE', 'SCMP_ACT_NOTIFY', 'SCMP_ACT_ERRNO'),
  ...at(['syscalls', 0, 'Names'], ['ptrace']),
  ...at(['syscalls', 0, 'name'], 'ptrace'),
  ...at(['syscalls', 0, 'excludes'], { caps: ['CAP_SYS_ADMIN'] }),
  ...at(
    ['syscalls', 0, 'includes'],
    { caps: ['CAP_SYS_ADMIN'] },
    { minKernel: '4.8' },
    { arches: ['amd64'] },
  ),
  ...at(['syscalls', 0, 'args'], [], [{ index: 0, value: 0, op: 'SCMP_CMP_NE' }]),
  ...at(['syscalls', 0, 'errnoRet'], 1),
  ...at(['syscalls', 0, 'names', 0], 'ptrace', 'READ', 'read ', ''),
  ...without(['defaultAction'], ['archMap'], ['archMap', 0], ['syscalls'], ['syscalls', 0, 'names']),
  ...without(['syscalls', 0, 'action'], ['syscalls', 0, 'names', 0], ['syscalls', 0]),
];

/** Rules that somebody may want to add to it: names, and conditions on their arguments. */
export const SECCOMP_RULES: readonly (readonly [name: string, ...args: object[]])[] = [
  ...[
    'ptrace',
    'mount',
    'unshare',
    'setns',
    'bpf',
    'keyctl',
    'execveat',
    'memfd_create',
    'io_uring_setup',
    'perf_event_open',
    'userfaultfd',
    'process_vm_readv',
    'pidfd_getfd',
    'open_by_handle_at',
    'personality',
    'setuid',
    'init_module',
    'splice',
    'clone3',
    'fork',
    'vfork',
    'clone',
    'socket',
    'socketpair',
    'read',
    'a_call_of_next_year',
  ].map((name) => [name] as const),
  ['ptrace', { index: 0, value: 1, op: 'SCMP_CMP_EQ' }],
  ['clone', { index: 0, value: 0x7e02_0000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  ['clone', { index: 0, value: 0x0001_0000, valueTwo: 0x0001_0000, op: 'SCMP_CMP_MASKED_EQ' }],
  ['clone', { index: 0, value: 0x0001_0000, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 17, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 40, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 38, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 16, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 16, op: 'SCMP_CMP_EQ' }, { index: 2, value: 9, op: 'SCMP_CMP_EQ' }],
  ['socket', { index: 0, value: 40, op: 'SCMP_CMP_LT' }],
  ['socket', { index: 0, value: 40, op: 'SCMP_CMP_NE' }],
  // runc reads two conditions on one argument as "either".
  ['socket', { index: 0, value: 1, op: 'SCMP_CMP_EQ' }, { index: 0, value: 99, op: 'SCMP_CMP_NE' }],
  ['socketpair', { index: 0, value: 30, op: 'SCMP_CMP_EQ' }],
  ['socketpair', { index: 0, value: 2, op: 'SCMP_CMP_EQ' }],
];
