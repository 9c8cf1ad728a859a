import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CreateOptions } from '../../src/engine/to-create-options.ts';
import { toCreateOptions } from '../../src/engine/to-create-options.ts';
import { verifyCreateOptions } from '../../src/engine/verify.ts';
import { LurkboxError, type Problem } from '../../src/errors.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { toAllowance } from '../../src/spec/allowance.ts';
import { GRANT, MIB, specOf } from '../spec/sample.ts';
import { anyGrant, FACTS, optionsOf } from './sample.ts';

const ALLOWANCE = toAllowance(GRANT);
const REFERENCE = optionsOf();
const HOST = REFERENCE.HostConfig;

function problemsOf(options: object, allowance = ALLOWANCE): readonly Problem[] {
  try {
    verifyCreateOptions(options, allowance);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(LurkboxError);
    expect(error).toMatchObject({ code: 'ENGINE_INSECURE' });
    return (error as LurkboxError).problems;
  }
}

function pathsOf(options: object, allowance = ALLOWANCE): string[] {
  return problemsOf(options, allowance).map(({ path }) => path);
}

// Some values are a whole seccomp profile.
function withTitle(row: (string | unknown)[]): [title: string, field: string, value: unknown] {
  const [field, value] = row as [string, unknown];
  return [`\`${field}\` as ${String(JSON.stringify(value)).slice(0, 100)}`, field, value];
}

const withHost = (change: object): object => ({ ...REFERENCE, HostConfig: { ...HOST, ...change } });

test('the options of a manifest that asks for nothing are accepted', () => {
  expect(problemsOf(REFERENCE)).toEqual([]);
});

test('the options of every grant are accepted under that grant', () => {
  fc.assert(
    fc.property(anyGrant, fc.boolean(), (grant, apparmor) => {
      const options = toCreateOptions(specOf(grant), { ...FACTS, apparmor });
      expect(problemsOf(options, toAllowance(grant))).toEqual([]);
    }),
  );
});

test('the options of one grant are refused under any grant that allows less', () => {
  const less: [string, Partial<Grant>, Partial<Grant>][] = [
    ['HostConfig.Memory', { memoryBytes: 128 * MIB }, { memoryBytes: 127 * MIB }],
    ['HostConfig.NanoCpus', { cpuCores: 0.5 }, { cpuCores: 0.49 }],
    ['HostConfig.PidsLimit', { pids: 64 }, { pids: 63 }],
    ['HostConfig.Tmpfs', { tmpBytes: 64 * MIB }, { tmpBytes: 63 * MIB }],
    ['HostConfig.Tmpfs', { scratchBytes: MIB }, { scratchBytes: 0 }],
    ['HostConfig.SecurityOpt', { exec: true }, { exec: false }],
    ['HostConfig.NetworkMode', { network: 'bridge' }, { network: 'none' }],
    ['HostConfig.NetworkMode', { network: 'host' }, { network: 'bridge' }],
    ['HostConfig.Runtime', { runtime: 'runc' }, { runtime: 'runsc' }],
  ];
  for (const [path, built, allowed] of less) {
    expect(pathsOf(optionsOf(built), toAllowance({ ...GRANT, ...allowed }))).toContain(path);
  }
});

describe('refuses', () => {
  const env = (...entries: string[]): string[] => [...REFERENCE.Env, ...entries];
  const without = (name: string): string[] => REFERENCE.Env.filter((entry) => !entry.startsWith(`${name}=`));
  const limits = (name: string, change: object): object[] =>
    HOST.Ulimits.map((limit) => (limit.Name === name ? { ...limit, ...change } : limit));
  const tmp = (from: string, to: string): object => ({ '/tmp': HOST.Tmpfs['/tmp']?.replace(from, to) });
  const mount = {
    Type: 'bind',
    Source: '/srv/data',
    Target: '/mnt/data',
    ReadOnly: true,
    BindOptions: { Propagation: 'rprivate', NonRecursive: true },
  };

  test.each(
    [
      ['name', 'somebody-elses'],
      ['name', 'lurkbox-../etc'],
      ['Image', 'node:24'],
      ['Image', 'sha256:short'],
      ['User', '0:0'],
      ['User', ''],
      ['User', 'root'],
      ['User', '65532:0'],
      ['User', '0:65532'],
      ['User', '65532'],
      ['WorkingDir', '/proc/self/fd/8'],
      ['Entrypoint', ['/bin/sh', '-c', 'true']],
      ['Entrypoint', ['/usr/local/bin/node', '/plugin/index.js']],
      ['Entrypoint', ['/usr/local/bin/node', '--import=/plugin/index.js', '/lurkbox/runner.cjs']],
      ['Entrypoint', ['/usr/local/bin/node', '--inspect=0.0.0.0', '/lurkbox/runner.cjs']],
      ['Entrypoint', '/usr/local/bin/node'],
      ['Cmd', ['--eval']],
      ['Env', env('SECRET=1')],
      ['Env', env('NODE_OPTIONS=--require=/plugin/index.js')],
      ['Env', [...without('NODE_OPTIONS'), 'NODE_OPTIONS=--inspect']],
      ['Env', without('LD_PRELOAD')],
      ['Env', without('LD_LIBRARY_PATH')],
      ['Env', without('NODE_EXTRA_CA_CERTS')],
      ['Env', 'PATH=/'],
      ['Labels', { ...REFERENCE.Labels, 'com.example': 'x' }],
      ['Labels', { 'lurkbox.instance': 'i-1' }],
      ['Labels', { 'lurkbox.kind': 'image', 'lurkbox.instance': 'i-1' }],
      ['Labels', { 'lurkbox.kind': 'container' }],
      ['Healthcheck', { Test: ['CMD', 'true'] }],
      ['StopSignal', 'SIGTERM'],
      ['NetworkDisabled', false],
      ['OpenStdin', false],
      ['StdinOnce', false],
      ['AttachStdin', false],
      ['AttachStdout', false],
      ['AttachStderr', false],
      ['Tty', true],
      ['HostConfig', null],
      ['HostConfig', []],
      ['Volumes', { '/data': {} }],
      ['ExposedPorts', { '80/tcp': {} }],
      ['Hostname', 'host'],
      ['MacAddress', '02:42:ac:11:00:02'],
      ['NetworkingConfig', {}],
      ['Shell', ['/bin/sh']],
    ].map(withTitle),
  )('%s', (_title, field, value) => {
    expect(pathsOf({ ...REFERENCE, [field]: value })).toContain(field);
  });

  test.each(
    [
      ['AutoRemove', true],
      ['Privileged', true],
      ['ReadonlyRootfs', false],
      ['Init', true],
      ['PublishAllPorts', true],
      ['OomKillDisable', true],
      ['NetworkMode', 'bridge'],
      ['NetworkMode', 'host'],
      ['NetworkMode', 'default'],
      ['NetworkMode', ''],
      ['NetworkMode', 'container:0a1b'],
      ['NetworkMode', 'lurkbox-other'],
      ['IpcMode', 'host'],
      ['IpcMode', 'shareable'],
      ['IpcMode', 'private'],
      ['IpcMode', 'container:0a1b'],
      ['CgroupnsMode', 'host'],
      ['PidMode', 'host'],
      ['PidMode', 'container:0a1b'],
      ['UTSMode', 'host'],
      ['UsernsMode', 'host'],
      ['CapDrop', []],
      ['CapDrop', ['NET_RAW']],
      ['CapAdd', ['SYS_ADMIN']],
      ['CapAdd', ['ALL']],
      ['Tmpfs', {}],
      ['Tmpfs', tmp('noexec', 'exec')],
      ['Tmpfs', tmp('noexec,', '')],
      ['Tmpfs', tmp('nosuid', 'suid')],
      ['Tmpfs', tmp('nodev', 'dev')],
      ['Tmpfs', tmp('mode=0700', 'mode=1777')],
      ['Tmpfs', tmp('uid=65532', 'uid=0')],
      ['Tmpfs', tmp(`size=${64 * MIB}`, `size=${65 * MIB}`)],
      ['Tmpfs', tmp(`size=${64 * MIB}`, 'size=0')],
      ['Tmpfs', tmp(`size=${64 * MIB}`, 'size=50%')],
      ['Tmpfs', tmp(`size=${64 * MIB},`, '')],
      ['Tmpfs', tmp('nr_inodes=4096', 'nr_inodes=0')],
      ['Tmpfs', { ...HOST.Tmpfs, '/run': HOST.Tmpfs['/tmp'] }],
      ['Tmpfs', { ...HOST.Tmpfs, '/scratch': HOST.Tmpfs['/tmp'] }],
      ['Mounts', [mount]],
      ['Mounts', [{ Type: 'volume', Source: 'v', Target: '/v' }]],
      ['Binds', ['/:/host']],
      ['Binds', ['/var/run/docker.sock:/var/run/docker.sock']],
      ['VolumesFrom', ['other']],
      ['Links', ['other:other']],
      ['Devices', [{ PathOnHost: '/dev/kvm', PathInContainer: '/dev/kvm', CgroupPermissions: 'rwm' }]],
      ['DeviceRequests', [{ Driver: 'nvidia', Count: -1 }]],
      ['GroupAdd', ['0']],
      ['Sysctls', { 'net.ipv4.ip_forward': '1' }],
      ['Memory', 513 * MIB],
      ['Memory', 0],
      ['Memory', -1],
      ['Memory', Number.NaN],
      ['MemorySwap', -1],
      ['MemorySwap', 0],
      ['MemorySwap', 1024 * MIB],
      ['NanoCpus', 0],
      ['NanoCpus', 800_000_001],
      ['PidsLimit', 0],
      ['PidsLimit', -1],
      ['PidsLimit', 65],
      ['OomScoreAdj', -1000],
      ['OomScoreAdj', 1001],
      ['Ulimits', []],
      ['Ulimits', HOST.Ulimits.slice(1)],
      ['Ulimits', [...HOST.Ulimits.slice(1), HOST.Ulimits[1]]],
      ['Ulimits', [...HOST.Ulimits, { Name: 'nproc', Soft: 1, Hard: 1 }]],
      ['Ulimits', limits('core', { Soft: 1, Hard: 1 })],
      ['Ulimits', limits('nofile', { Soft: 1_048_576, Hard: 1_048_576 })],
      ['Ulimits', limits('nofile', { Hard: 512 })],
      ['Ulimits', limits('memlock', { Soft: -1, Hard: -1 })],
      ['LogConfig', { Type: 'json-file', Config: {} }],
      ['LogConfig', { Type: 'none', Config: { 'max-size': '1g' } }],
      ['RestartPolicy', { Name: 'always', MaximumRetryCount: 0 }],
      ['SecurityOpt', []],
      ['SecurityOpt', ['no-new-privileges:false', HOST.SecurityOpt[1]]],
      ['SecurityOpt', ['no-new-privileges:true']],
      ['SecurityOpt', ['no-new-privileges:true', 'seccomp=unconfined']],
      ['SecurityOpt', ['no-new-privileges:true', 'seccomp=builtin']],
      ['SecurityOpt', ['no-new-privileges:true', 'seccomp={']],
      ['SecurityOpt', [...HOST.SecurityOpt, 'apparmor=unconfined']],
      ['SecurityOpt', [...HOST.SecurityOpt, 'label=disable']],
      ['SecurityOpt', [...HOST.SecurityOpt, 'apparmor=docker-default', 'systempaths=unconfined']],
      ['MaskedPaths', []],
      ['ReadonlyPaths', []],
      ['CgroupParent', '/'],
      ['DeviceCgroupRules', ['a *:* rwm']],
      ['PortBindings', { '80/tcp': [{ HostPort: '80' }] }],
      ['ExtraHosts', ['metadata:169.254.169.254']],
      ['Dns', ['8.8.8.8']],
      ['VolumeDriver', 'x'],
      ['StorageOpt', { size: '1T' }],
      ['CpuRealtimeRuntime', 1],
      ['ShmSize', 1],
      ['Capabilities', ['ALL']],
    ].map(withTitle),
  )('%s in `HostConfig`', (_title, field, value) => {
    expect(pathsOf(withHost({ [field]: value }))).toContain(`HostConfig.${field}`);
  });

  test.each(Object.keys(REFERENCE))('options without `%s`', (field) => {
    const { [field as keyof CreateOptions]: _, ...rest } = REFERENCE;
    expect(pathsOf(rest)).toContain(field);
  });

  // Without a `Runtime` the engine takes its default, which is what a grant without one means.
  test.each(Object.keys(HOST).filter((field) => field !== 'Runtime'))(
    'options without `HostConfig.%s`',
    (field) => {
      const { [field as keyof CreateOptions['HostConfig']]: _, ...rest } = HOST;
      expect(pathsOf({ ...REFERENCE, HostConfig: rest })).toContain(`HostConfig.${field}`);
    },
  );

  test.each([{ Runtime: 'other' }, { Runtime: '' }, { Runtime: undefined }])(
    'another runtime than the granted one: %j',
    (change) => {
      const allowance = toAllowance({ ...GRANT, runtime: 'runsc' });
      expect(pathsOf(withHost(change), allowance)).toEqual(['HostConfig.Runtime']);
    },
  );

  test('everything that is wrong at once, each with its field', () => {
    const options = { ...withHost({ Privileged: true, PidMode: 'host' }), Tty: true, Volumes: {} };
    expect(pathsOf(options).sort()).toEqual([
      'HostConfig.PidMode',
      'HostConfig.Privileged',
      'Tty',
      'Volumes',
    ]);
  });

  test('a mount that is not the granted one', () => {
    const granted: Partial<Grant> = {
      mounts: [{ name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'ro' }],
    };
    const allowance = toAllowance({ ...GRANT, ...granted });
    expect(pathsOf(optionsOf(granted), allowance)).toEqual([]);
    const changes: object[] = [
      { Type: 'volume' },
      { Source: '/' },
      { Source: '/srv/data/..' },
      { Target: '/lurkbox' },
      { ReadOnly: false },
      { BindOptions: { Propagation: 'rshared', NonRecursive: true } },
      { BindOptions: { Propagation: 'rprivate', NonRecursive: false } },
    ];
    for (const change of changes) {
      expect(pathsOf(withHost({ Mounts: [{ ...mount, ...change }] }), allowance)).toEqual([
        'HostConfig.Mounts',
      ]);
    }
    expect(pathsOf(withHost({ Mounts: [mount, mount] }), allowance)).toEqual(['HostConfig.Mounts']);
  });
});

describe('refuses a seccomp profile', () => {
  const [, option = ''] = HOST.SecurityOpt;
  const profile = JSON.parse(option.slice('seccomp='.length)) as {
    archMap: object[];
    syscalls: { names: string[]; args?: object[] }[];
  };
  const allow = (names: string[], args?: object[]): object => ({
    ...profile,
    syscalls: [...profile.syscalls, { names, action: 'SCMP_ACT_ALLOW', ...(args && { args }) }],
  });
  const replace = (name: string, rule: object): object => ({
    ...profile,
    syscalls: profile.syscalls.map((known) => (known.names.includes(name) ? { ...known, ...rule } : known)),
  });
  const family = (value: number, op = 'SCMP_CMP_EQ'): object => ({ index: 0, value, op });
  const clone = (value: number, valueTwo: number): object[] => [
    { index: 0, value, valueTwo, op: 'SCMP_CMP_MASKED_EQ' },
  ];

  test.each<[string, unknown]>([
    ['that is no object', []],
    ['that allows by default', { ...profile, defaultAction: 'SCMP_ACT_ALLOW' }],
    ['that logs by default', { ...profile, defaultAction: 'SCMP_ACT_LOG' }],
    ['without an `archMap`', { ...profile, archMap: undefined }],
    ['with `architectures`', { ...profile, architectures: ['SCMP_ARCH_X86'] }],
    [
      'with a second ABI',
      { ...profile, archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }] },
    ],
    ['with flags that weaken the filter', { ...profile, flags: ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'] }],
    ['without rules', { ...profile, syscalls: undefined }],
    ['with a rule without names', { ...profile, syscalls: [{ action: 'SCMP_ACT_ALLOW' }] }],
    ['with a rule that logs', { ...profile, syscalls: [{ names: ['read'], action: 'SCMP_ACT_LOG' }] }],
    ['with a rule that traces', { ...profile, syscalls: [{ names: ['read'], action: 'SCMP_ACT_TRACE' }] }],
    [
      'with a rule in the old form of one `name`',
      { ...profile, syscalls: [{ name: 'ptrace', names: [], action: 'SCMP_ACT_ALLOW' }] },
    ],
    ['that allows clone3', allow(['clone3'])],
    ['that allows fork', allow(['fork'])],
    ['that allows vfork', allow(['vfork'])],
    ['that allows clone without a mask', allow(['clone'])],
    ['that allows clone for processes', replace('clone', { args: clone(0x7e02_0000, 0) })],
    ['that allows clone with a namespace', replace('clone', { args: clone(0x0001_0000, 0x0001_0000) })],
    ['that allows clone by equality', replace('clone', { args: [family(0x0001_0000)] })],
    ['that allows socket without a condition', allow(['socket'])],
    ['that allows a range of sockets', allow(['socket'], [family(40, 'SCMP_CMP_LT')])],
    ['that allows all sockets but one', allow(['socket'], [family(40, 'SCMP_CMP_NE')])],
    ['that allows packet sockets', allow(['socket'], [family(17)])],
    ['that allows vsock', allow(['socket'], [family(40)])],
    [
      'that widens sockets by a second condition on one argument, which runc reads as "either"',
      allow(['socket'], [family(1), family(99, 'SCMP_CMP_NE')]),
    ],
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
    ].map((name): [string, unknown] => [`that allows ${name}`, allow(['read', name])]),
    ['that allows ptrace under a condition', allow(['ptrace'], [family(0)])],
  ])('%s', (_title, changed) => {
    const options = withHost({
      SecurityOpt: ['no-new-privileges:true', `seccomp=${JSON.stringify(changed)}`],
    });
    expect(pathsOf(options)).toEqual(['HostConfig.SecurityOpt']);
  });
});
