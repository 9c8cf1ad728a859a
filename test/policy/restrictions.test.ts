import { describe, expect, test } from 'vitest';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import type { Restriction } from '../../src/policy/grant.ts';
import { checkPolicy } from '../../src/policy/load.ts';
import { resolveOrThrow } from '../../src/policy/resolve.ts';
import { MINIMAL } from '../manifest/sample.ts';

test('every control has one restriction with a reason', () => {
  const restrictions = restrictionsOf({}, {});
  expect(restrictions.map(({ control, value }) => [control, value])).toEqual([
    ['user', 'one of its own, from 40000 to 59999'],
    ['working directory', '/'],
    ['root filesystem', 'read-only'],
    ['capabilities', 'none'],
    ['no-new-privileges', 'on'],
    ['seccomp', 'deny by default'],
    ['processes', 'none but Node itself; threads only'],
    ['network', 'none'],
    [
      'socket buffers',
      'somaxconn 16, tcp_orphan_retries 1, tcp_rmem 4096 16384 16384, tcp_wmem 4096 16384 16384',
    ],
    ['ipc', 'none'],
    ['cgroup namespace', 'private'],
    [
      'environment',
      'nothing inherited; set: PATH, HOME, TMPDIR, TZ, LANG, NODE_OPTIONS, NODE_EXTRA_CA_CERTS, LD_PRELOAD, LD_LIBRARY_PATH',
    ],
    ['tmp', '/tmp, 64 MiB, 4096 files'],
    ['scratch', 'none'],
    ['mounts', 'none'],
    ['devices', 'none of the host'],
    ['pids', '64'],
    ['memory', '512 MiB, no swap'],
    ['cpu', '80 % of one core'],
    ['time', '30 s'],
    ['output', '1 MiB'],
    ['descriptors', '256'],
    ['core dumps', 'none'],
    ['locked memory', '64 KiB'],
    ['message queues', 'none'],
    ['out-of-memory score', '+500'],
    ['engine log', 'none'],
    ['isolation', 'a fresh container for each call'],
    ['restart', 'no'],
    ['health check', 'none'],
    ['init program', 'none'],
    ['runtime', 'default of the engine'],
    ['time zone', 'UTC'],
    ['locale', 'en-US'],
    ['channels', 'any'],
  ]);
  expect(restrictions.every(({ origin, reason }) => origin === 'baseline' && reason.length > 10)).toBe(true);
});

describe('a restriction names who decided it', () => {
  const data = { path: '/srv/data', mode: 'ro' };

  test.each<[string, object, object, Partial<Restriction>]>([
    [
      'a number of the manifest',
      { resources: { memory_mb: 128 } },
      {},
      { control: 'memory', value: '128 MiB, no swap', origin: 'manifest' },
    ],
    [
      'a number of the operator',
      { resources: { pids: 20 } },
      { plugins: { 'word-count': { resources: { pids: 32 } } } },
      { control: 'pids', value: '32', origin: 'policy' },
    ],
    [
      'a baseline lowered to the ceiling',
      {},
      { ceilings: { timeout_seconds: 10 } },
      { control: 'time', value: '10 s', origin: 'policy' },
    ],
    [
      'an output that is no whole number of MiB',
      { resources: { output_kb: 100 } },
      {},
      { control: 'output', value: '100 KiB', origin: 'manifest' },
    ],
    [
      'processes',
      { permissions: { exec: true } },
      { allow: { exec: true } },
      { control: 'processes', value: 'allowed', origin: 'manifest' },
    ],
    [
      'a network',
      { permissions: { network: true } },
      { allow: { bridge: true } },
      { control: 'network', value: 'bridge', origin: 'manifest' },
    ],
    [
      'scratch',
      { permissions: { filesystem: true } },
      {},
      { control: 'scratch', value: '/scratch, 128 MiB, 16384 files', origin: 'manifest' },
    ],
    [
      'a mount',
      { permissions: { filesystem: { mounts: { data: 'ro' } } } },
      { allow: { mounts: { data } }, plugins: { 'word-count': { allow: { mounts: ['data'] } } } },
      { control: 'mounts', value: '/srv/data at /mnt/data (ro)', origin: 'manifest' },
    ],
    [
      'what a runtime may leave out',
      {},
      { accept_unenforced: ['tmp_files', 'tmp_noexec'] },
      {
        control: 'accepted as missing',
        value: 'tmp_files, tmp_noexec',
        reason: expect.stringMatching(/how many files .*; machine code /),
        origin: 'policy',
      },
    ],
    [
      'files that nobody counts',
      { permissions: { filesystem: true } },
      { accept_unenforced: ['tmp_files'] },
      { control: 'scratch', value: '/scratch, 128 MiB, any number of files' },
    ],
    [
      'a user that the policy names',
      {},
      { plugins: { 'word-count': { uid: 65_532 } } },
      { control: 'user', value: '65532:65532', origin: 'policy' },
    ],
    [
      'a time zone',
      {},
      { time_zone: 'Asia/Tokyo' },
      { control: 'time zone', value: 'Asia/Tokyo', origin: 'policy' },
    ],
    ['a language', {}, { locale: 'de-CH' }, { control: 'locale', value: 'de-CH', origin: 'policy' }],
    [
      'a proxy',
      { permissions: { network: true } },
      { allow: { bridge: true }, proxy: { url: 'http://proxy.test:1', no_proxy: ['*.test', 'host'] } },
      { control: 'proxy', value: 'http://proxy.test:1, not for *.test, host', origin: 'policy' },
    ],
    ['a runtime', {}, { oci_runtime: 'runsc' }, { control: 'runtime', value: 'runsc', origin: 'policy' }],
    [
      'channels',
      { permissions: { channels: ['slack', 'mail'] } },
      {},
      { control: 'channels', value: 'slack, mail', origin: 'manifest' },
    ],
  ])('%s', (_what, manifest, policy, expected) => {
    expect(restrictionsOf(manifest, policy)).toContainEqual(expect.objectContaining(expected));
  });

  test('without the reason of a closed control for an opened one', () => {
    const closed = reasonOf('network', restrictionsOf({}, {}));
    const open = restrictionsOf({ permissions: { network: true } }, { allow: { bridge: true } });
    expect(reasonOf('network', open)).not.toBe(closed);
  });
});

function restrictionsOf(manifest: object, policy: object): readonly Restriction[] {
  const checked = checkPolicy(policy);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  const parsed = PluginManifestSchema.parse({ ...MINIMAL, ...manifest });
  return resolveOrThrow(parsed, checked.value, '').restrictions;
}

function reasonOf(control: string, restrictions: readonly Restriction[]): string | undefined {
  return restrictions.find((restriction) => restriction.control === control)?.reason;
}
