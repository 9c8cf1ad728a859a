import { expect, test } from 'vitest';
import type { Grant } from '../../src/policy/grant.ts';
import { rateGrant } from '../../src/policy/rating.ts';

const BASELINE_GRANT: Grant = {
  plugin: 'word-count',
  uid: 65_532,
  uids: { first: 40_000, last: 59_999 },
  network: 'none',
  exec: false,
  memoryBytes: 1,
  cpuCores: 1,
  timeoutMs: 1,
  pids: 1,
  outputBytes: 1,
  tmpBytes: 1,
  scratchBytes: 0,
  mounts: [],
  isolation: { mode: 'execution', maxCalls: 1, maxAgeMs: 0 },
  channels: null,
  runtime: null,
  timeZone: 'UTC',
  locale: null,
  proxy: null,
  certificates: [],
  acceptUnenforced: [],
};
const ro = { name: 'a', hostPath: '/srv/a', containerPath: '/mnt/a', mode: 'ro' } as const;
const rw = { ...ro, name: 'b', mode: 'rw' } as const;

test.each<[string, Partial<Grant>, number, number[]]>([
  ['nothing beyond the baseline', {}, 8, []],
  ['large quotas', { memoryBytes: 2 ** 40, pids: 9999, timeoutMs: 1e9 }, 8, []],
  ['scratch', { scratchBytes: 1 }, 7, [-1]],
  ['a mount to read', { mounts: [ro] }, 7, [-1]],
  ['many mounts to read', { mounts: [ro, { ...ro, name: 'c' }] }, 7, [-1]],
  ['a mount to write', { mounts: [rw] }, 6, [-2]],
  ['mounts to read and to write', { mounts: [ro, rw] }, 5, [-1, -2]],
  ['exec', { exec: true }, 6, [-2]],
  ['a bridge', { network: 'bridge' }, 5, [-3]],
  ['exec and a bridge', { exec: true, network: 'bridge' }, 3, [-2, -3]],
  [
    'everything but the host network',
    { scratchBytes: 1, mounts: [ro, rw], exec: true, network: 'bridge' },
    1,
    [-1, -1, -2, -2, -3],
  ],
  ['the host network', { network: 'host' }, 1, [-7]],
  ['the host network on gVisor', { network: 'host', runtime: 'runsc' }, 1, [-7, 1]],
  ['gVisor', { runtime: 'runsc' }, 8, [1]],
  ['gVisor under a longer name', { runtime: 'io.containerd.runsc.v1', exec: true }, 7, [-2, 1]],
  ['exec on gVisor', { runtime: 'runsc-kvm', exec: true }, 7, [-2, 1]],
  ['a control that may be missing', { acceptUnenforced: ['tmp_files'] }, 7, [-1]],
  [
    'gVisor and what it leaves out',
    { runtime: 'runsc', acceptUnenforced: ['tmp_files', 'tmp_noexec', 'cpu_seconds'] },
    8,
    [1, -1],
  ],
  ['another runtime', { runtime: 'crun', exec: true }, 6, [-2]],
])('the rating is right for %s', (_what, change, score, points) => {
  const rating = rateGrant({ ...BASELINE_GRANT, ...change });
  expect(rating.score).toBe(score);
  expect(rating.reasons.map((reason) => reason.points)).toEqual(points);
});
