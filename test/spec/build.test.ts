import { describe, expect, test } from 'vitest';
import { BASELINE } from '../../src/policy/baseline.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { buildSeccompProfile } from '../../src/policy/seccomp.ts';
import { heapMegabytes } from '../../src/spec/build.ts';
import type { ContainerSpec } from '../../src/spec/container-spec.ts';
import { CONTAINER_LABELS, GRANT, IMAGE, MIB, NAME, specOf } from './sample.ts';

const SMALL_BUFFERS = {
  'net.core.somaxconn': '16',
  'net.ipv4.tcp_orphan_retries': '1',
  'net.ipv4.tcp_rmem': '4096 16384 16384',
  'net.ipv4.tcp_wmem': '4096 16384 16384',
};

test('the spec of the minimal grant is fixed', () => {
  const { seccompProfile, ...spec } = specOf();
  expect(spec).toStrictEqual({
    name: NAME,
    image: IMAGE,
    command: ['/usr/local/bin/node', '--max-old-space-size=416', '/lurkbox/runner.cjs'],
    env: {
      PATH: '/nonexistent',
      HOME: '/tmp',
      TMPDIR: '/tmp',
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      NODE_OPTIONS: '',
      NODE_EXTRA_CA_CERTS: '',
      LD_PRELOAD: '',
      LD_LIBRARY_PATH: '',
    },
    user: '65532:65532',
    workingDir: '/',
    labels: CONTAINER_LABELS,
    network: { mode: 'none' },
    sysctls: SMALL_BUFFERS,
    exec: false,
    capDrop: ['ALL'],
    noNewPrivileges: true,
    readOnlyRoot: true,
    ipcMode: 'none',
    cgroupnsMode: 'private',
    init: false,
    tmpfs: [{ path: '/tmp', sizeBytes: 67_108_864, inodes: 4096 }],
    mounts: [],
    memoryBytes: 536_870_912,
    cpuCores: 0.8,
    pids: 64,
    nofile: 256,
    coreBytes: 0,
    memlockBytes: 65_536,
    messageQueueBytes: 0,
    fileSizeBytes: 67_108_864,
    cpuTimeSeconds: 78,
    oomScoreAdj: 500,
    logDriver: 'none',
    restart: 'no',
    runtime: null,
  });
  expect(seccompProfile).toEqual(buildSeccompProfile({ exec: false }));
});

describe('a grant of', () => {
  test.each<[string, Partial<Grant>, Partial<ContainerSpec>]>([
    ['the host network', { network: 'host' }, { network: { mode: 'host' }, sysctls: {} }],
    [
      'a bridge',
      { network: 'bridge' },
      {
        network: { mode: 'bridge', name: NAME },
        sysctls: {
          'net.core.somaxconn': '4',
          'net.ipv4.tcp_orphan_retries': '1',
          'net.ipv4.tcp_rmem': '4096 131072 131072',
          'net.ipv4.tcp_wmem': '4096 16384 131072',
        },
      },
    ],
    [
      'processes',
      { exec: true },
      {
        exec: true,
        seccompProfile: buildSeccompProfile({ exec: true }),
        env: { ...BASELINE.env.value, PATH: '/bin:/usr/local/bin' },
      },
    ],
    ['memory', { memoryBytes: 128 * MIB }, { memoryBytes: 128 * MIB, command: commandWithHeap(51) }],
    ['a share of a core', { cpuCores: 0.5 }, { cpuCores: 0.5, cpuTimeSeconds: 60 }],
    ['time', { timeoutMs: 1_500 }, { cpuTimeSeconds: 33 }],
    ['pids', { pids: 16 }, { pids: 16 }],
    [
      'a small /tmp',
      { tmpBytes: MIB },
      { tmpfs: [{ path: '/tmp', sizeBytes: MIB, inodes: 4096 }], fileSizeBytes: MIB },
    ],
    [
      'scratch, which also bounds a file',
      { scratchBytes: 128 * MIB },
      {
        tmpfs: [
          { path: '/tmp', sizeBytes: 64 * MIB, inodes: 4096 },
          { path: '/scratch', sizeBytes: 128 * MIB, inodes: 16_384 },
        ],
        fileSizeBytes: 128 * MIB,
      },
    ],
    [
      'mounts',
      { mounts: [{ name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'ro' }] },
      { mounts: [{ hostPath: '/srv/data', containerPath: '/mnt/data', readOnly: true }] },
    ],
    ['a runtime', { runtime: 'runsc' }, { runtime: 'runsc' }],
    ['a time zone', { timeZone: 'Asia/Tokyo' }, { env: { ...specOf().env, TZ: 'Asia/Tokyo' } }],
    [
      'a language, as environments write it',
      { locale: 'zh-Hant-TW' },
      { env: { ...specOf().env, LANG: 'zh_Hant_TW.UTF-8' } },
    ],
    [
      'certificates, which Node reads from its own environment',
      { certificates: ['-----BEGIN', '-----END'] },
      {
        env: {
          ...specOf().env,
          NODE_EXTRA_CA_CERTS: '/proc/self/environ',
          LURKBOX_CA_1: '\n-----BEGIN\n',
          LURKBOX_CA_2: '\n-----END\n',
        },
      },
    ],
    [
      'a proxy, with the loopback reached straight',
      { proxy: { url: 'http://proxy.test:3128', exceptions: ['.example.org'] } },
      {
        env: {
          ...specOf().env,
          NODE_USE_ENV_PROXY: '1',
          HTTP_PROXY: 'http://proxy.test:3128',
          HTTPS_PROXY: 'http://proxy.test:3128',
          NO_PROXY: 'localhost,127.0.0.1,::1,.example.org',
          http_proxy: 'http://proxy.test:3128',
          https_proxy: 'http://proxy.test:3128',
          no_proxy: 'localhost,127.0.0.1,::1,.example.org',
        },
      },
    ],
    ['output and channels, which are no matter of the container', { outputBytes: 1, channels: ['x'] }, {}],
  ])('%s changes only its own fields of the spec', (_title, grant, expected) => {
    expect(specOf(grant)).toStrictEqual({ ...specOf(), ...expected });
  });
});

test.each([
  [64, 25],
  [96, 38],
  [128, 51],
  [160, 64],
  [256, 160],
  [512, 416],
  [1024, 928],
])('of %i MiB V8 gets %i for its heap, and Node the rest', (megabytes, heap) => {
  expect(heapMegabytes(megabytes * MIB)).toBe(heap);
});

test('a spec is the same for the same grant', () => {
  expect(specOf(GRANT)).toStrictEqual(specOf(GRANT));
});

function commandWithHeap(megabytes: number): string[] {
  return specOf().command.map((part) =>
    part.startsWith('--max-old-space-size') ? `--max-old-space-size=${megabytes}` : part,
  );
}
