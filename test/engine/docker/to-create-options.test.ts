import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { HostOptions } from '../../../src/engine/docker/to-create-options.ts';
import { toCreateOptions } from '../../../src/engine/docker/to-create-options.ts';
import type { Grant } from '../../../src/policy/grant.ts';
import { MIB, specOf } from '../../spec/sample.ts';
import { FACTS, optionsOf } from '../sample.ts';

/** A red pin asks: is this deliberate? */
describe('the Docker options', () => {
  test('of a manifest that asks for nothing are fixed', () => {
    const { HostConfig, ...options } = optionsOf();
    const { SecurityOpt, ...host } = HostConfig;
    expect(options).toStrictEqual({
      name: 'lurkbox-0a1b2c3d',
      Image: `sha256:${'c0de'.repeat(16)}`,
      User: '65532:65532',
      WorkingDir: '/',
      Entrypoint: ['/usr/local/bin/node', '--max-old-space-size=416', '/lurkbox/runner.cjs'],
      Cmd: [],
      Env: [
        'PATH=/nonexistent',
        'HOME=/tmp',
        'TMPDIR=/tmp',
        'TZ=UTC',
        'LANG=C.UTF-8',
        'NODE_OPTIONS=',
        'NODE_EXTRA_CA_CERTS=',
        'LD_PRELOAD=',
        'LD_LIBRARY_PATH=',
      ],
      Labels: {
        'lurkbox.instance': 'i-1',
        'lurkbox.host': 'h-1',
        'lurkbox.boot': 'b-1',
        'lurkbox.process': '7:1234:4026531836',
        'lurkbox.kind': 'container',
        'lurkbox.execution': '0a1b2c3d',
        'lurkbox.plugin': 'word-count',
        'lurkbox.version': '1.0.0',
      },
      Healthcheck: { Test: ['NONE'] },
      StopSignal: 'SIGKILL',
      NetworkDisabled: true,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
    });
    expect(host).toStrictEqual({
      AutoRemove: false,
      Privileged: false,
      ReadonlyRootfs: true,
      Init: false,
      PublishAllPorts: false,
      OomKillDisable: false,
      NetworkMode: 'none',
      IpcMode: 'none',
      CgroupnsMode: 'private',
      PidMode: '',
      UTSMode: '',
      UsernsMode: '',
      CapDrop: ['ALL'],
      CapAdd: [],
      Tmpfs: {
        '/tmp': 'rw,noexec,nosuid,nodev,size=67108864,nr_inodes=4096,mode=0700,uid=65532,gid=65532',
      },
      Mounts: [],
      Binds: [],
      VolumesFrom: [],
      Links: [],
      Devices: [],
      DeviceRequests: [],
      GroupAdd: [],
      Sysctls: {
        'net.core.somaxconn': '16',
        'net.ipv4.tcp_orphan_retries': '1',
        'net.ipv4.tcp_rmem': '4096 16384 16384',
        'net.ipv4.tcp_wmem': '4096 16384 16384',
      },
      Memory: 536_870_912,
      MemorySwap: 536_870_912,
      NanoCpus: 800_000_000,
      PidsLimit: 64,
      OomScoreAdj: 500,
      Ulimits: [
        { Name: 'nofile', Soft: 256, Hard: 256 },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'memlock', Soft: 65_536, Hard: 65_536 },
        { Name: 'msgqueue', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: 67_108_864, Hard: 67_108_864 },
        { Name: 'cpu', Soft: 78, Hard: 78 },
      ],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      Runtime: 'runc',
    });
    expect(SecurityOpt).toStrictEqual(['no-new-privileges:true', expect.stringMatching(/^seccomp=\{/)]);
  });

  test.each([
    [false, 'ed7a1e60e767cc7e7900fd219f2a2132a5b7c25ffe6c3ad02520b9def09fb4be'],
    [true, 'b962493b532bc31924a4fac6f92edcf39518e184ea5ce819b6a2aa49628c648f'],
  ])('for exec %s have a seccomp profile with a fixed sha256', (exec, digest) => {
    const [, seccomp = ''] = optionsOf({ exec }).HostConfig.SecurityOpt;
    expect(createHash('sha256').update(seccomp).digest('hex')).toBe(digest);
  });
});

describe('the create request has', () => {
  test.each<[string, Partial<Grant>, Partial<HostOptions>]>([
    ['a host network', { network: 'host' }, { NetworkMode: 'host' }],
    ['a network of the name of the container', { network: 'bridge' }, { NetworkMode: 'lurkbox-0a1b2c3d' }],
    ['memory without swap', { memoryBytes: 96 * MIB }, { Memory: 96 * MIB, MemorySwap: 96 * MIB }],
    ['a share of a core in billionths', { cpuCores: 0.07 }, { NanoCpus: 70_000_000 }],
    ['more than one core', { cpuCores: 2.5 }, { NanoCpus: 2_500_000_000 }],
    ['a pids limit', { pids: 16 }, { PidsLimit: 16 }],
    ['a runtime by name', { runtime: 'runsc' }, { Runtime: 'runsc' }],
    [
      'a second tmpfs',
      { scratchBytes: 128 * MIB },
      {
        Tmpfs: {
          '/tmp': 'rw,noexec,nosuid,nodev,size=67108864,nr_inodes=4096,mode=0700,uid=65532,gid=65532',
          '/scratch': 'rw,noexec,nosuid,nodev,size=134217728,nr_inodes=16384,mode=0700,uid=65532,gid=65532',
        },
      },
    ],
    [
      'a private bind mount',
      {
        mounts: [
          { name: 'a', hostPath: '/srv/a', containerPath: '/mnt/a', mode: 'ro' },
          { name: 'b', hostPath: '/srv/b', containerPath: '/mnt/b', mode: 'rw' },
        ],
      },
      {
        Binds: [],
        Mounts: [
          {
            Type: 'bind',
            Source: '/srv/a',
            Target: '/mnt/a',
            ReadOnly: true,
            BindOptions: { Propagation: 'rprivate', NonRecursive: true },
          },
          {
            Type: 'bind',
            Source: '/srv/b',
            Target: '/mnt/b',
            ReadOnly: false,
            BindOptions: { Propagation: 'rprivate', NonRecursive: true },
          },
        ],
      },
    ],
  ])('%s', (_title, grant, expected) => {
    expect(optionsOf(grant).HostConfig).toMatchObject(expected);
  });

  test('the default AppArmor profile where the engine has AppArmor, and none where it has not', () => {
    expect(optionsOf({}, { apparmor: true }).HostConfig.SecurityOpt[2]).toBe('apparmor=docker-default');
    expect(optionsOf({}, { apparmor: false }).HostConfig.SecurityOpt).toHaveLength(2);
  });

  test('the default runtime of the engine, by name, where the policy names none', () => {
    expect(optionsOf({}, { defaultRuntime: 'crun' }).HostConfig.Runtime).toBe('crun');
  });
});

test.each([
  ['none', true],
  ['bridge', false],
  ['host', false],
] as const)('the network %s sets `NetworkDisabled` to %s', (network, disabled) => {
  expect(optionsOf({ network }).NetworkDisabled).toBe(disabled);
});

test('a control that is off in the spec is off in the options, where the last check sees it', () => {
  const options = toCreateOptions({ ...specOf(), noNewPrivileges: false, readOnlyRoot: false }, FACTS);
  expect(options.HostConfig.SecurityOpt[0]).toMatch(/^seccomp=/);
  expect(options.HostConfig.ReadonlyRootfs).toBe(false);
});

test('the Docker options share no list or object with the spec', () => {
  const spec = specOf();
  const options = toCreateOptions(spec, FACTS);
  options.HostConfig.CapDrop.pop();
  options.Labels['lurkbox.kind'] = 'other';
  options.Entrypoint.push('--inspect');
  expect(toCreateOptions(spec, FACTS)).toEqual(optionsOf());
});
