import { expect, test } from 'vitest';
import type { Grant } from '../../src/policy/grant.ts';
import { type Allowance, toAllowance } from '../../src/spec/allowance.ts';
import { GRANT, MIB } from './sample.ts';

test('the allowance of the minimal grant is fixed', () => {
  expect(toAllowance(GRANT)).toStrictEqual({
    plugin: 'word-count',
    uid: 65_532,
    network: 'none',
    exec: false,
    memoryBytes: 536_870_912,
    cpuCores: 0.8,
    timeoutMs: 30_000,
    pids: 64,
    tmpfs: { '/tmp': 67_108_864 },
    mounts: [],
    runtime: null,
    timeZone: 'UTC',
    locale: null,
    proxy: null,
    certificates: [],
    acceptUnenforced: [],
  });
});

test.each<[string, Partial<Grant>, Partial<Allowance>]>([
  ['a network', { network: 'bridge' }, { network: 'bridge' }],
  ['processes', { exec: true }, { exec: true }],
  ['memory', { memoryBytes: MIB }, { memoryBytes: MIB }],
  ['a share of a core', { cpuCores: 0.05 }, { cpuCores: 0.05 }],
  ['time', { timeoutMs: 1 }, { timeoutMs: 1 }],
  ['pids', { pids: 16 }, { pids: 16 }],
  ['a plugin', { plugin: 'other' }, { plugin: 'other' }],
  ['the size of /tmp', { tmpBytes: MIB }, { tmpfs: { '/tmp': MIB } }],
  ['scratch', { scratchBytes: 2 * MIB }, { tmpfs: { '/tmp': 64 * MIB, '/scratch': 2 * MIB } }],
  ['a runtime', { runtime: 'runsc' }, { runtime: 'runsc' }],
  ['a time zone', { timeZone: 'Asia/Tokyo' }, { timeZone: 'Asia/Tokyo' }],
  ['a language', { locale: 'de-CH' }, { locale: 'de-CH' }],
  [
    'a proxy',
    { proxy: { url: 'http://proxy.test:1', exceptions: ['*'] } },
    { proxy: { url: 'http://proxy.test:1', exceptions: ['*'] } },
  ],
  ['certificates', { certificates: ['pem'] }, { certificates: ['pem'] }],
  ['what a runtime may leave out', { acceptUnenforced: ['tmp_files'] }, { acceptUnenforced: ['tmp_files'] }],
  [
    'mounts',
    {
      mounts: [
        { name: 'a', hostPath: '/srv/a', containerPath: '/mnt/a', mode: 'ro' },
        { name: 'b', hostPath: '/srv/b', containerPath: '/mnt/b', mode: 'rw' },
      ],
    },
    {
      mounts: [
        { hostPath: '/srv/a', containerPath: '/mnt/a', readOnly: true },
        { hostPath: '/srv/b', containerPath: '/mnt/b', readOnly: false },
      ],
    },
  ],
  ['nothing more where nothing more is granted', { outputBytes: 1, channels: ['x'] }, {}],
])('a grant allows %s', (_title, grant, expected) => {
  expect(toAllowance({ ...GRANT, ...grant })).toStrictEqual({ ...toAllowance(GRANT), ...expected });
});
