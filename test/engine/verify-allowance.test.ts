import { describe, expect, test } from 'vitest';
import { verifyCreateBody } from '../../src/engine/verify.ts';
import { findUnsound } from '../../src/engine/verify-allowance.ts';
import type { LurkboxError } from '../../src/errors.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { FORBIDDEN_MOUNTS } from '../../src/policy/mount-path.ts';
import { allowanceOf, CONTAINER_LABELS, MIB } from '../spec/sample.ts';
import { FACTS, optionsOf } from './sample.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----';

function pathsOf(grant: Partial<Grant>): string[] {
  try {
    verifyCreateBody(JSON.stringify(optionsOf(grant)), allowanceOf(grant), FACTS);
    return [];
  } catch (error) {
    return (error as LurkboxError).problems.map(({ path }) => path);
  }
}

const mount = (change: object): Partial<Grant> => ({
  mounts: [{ name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'ro', ...change }],
});

// Body and allowance agree in each of these, because both come from the same grant.
describe('a faulty grant does not excuse a create request (P6)', () => {
  test.each<[string, Partial<Grant>, string]>([
    ['no memory limit', { memoryBytes: 0 }, 'HostConfig.Memory'],
    ['a negative memory limit', { memoryBytes: -1 }, 'HostConfig.Memory'],
    ['half a byte', { memoryBytes: 64 * MIB + 0.5 }, 'HostConfig.Memory'],
    ['more memory than a number can tell', { memoryBytes: 2 ** 60 }, 'HostConfig.Memory'],
    ['no CPU quota', { cpuCores: 0 }, 'HostConfig.NanoCpus'],
    ['a CPU quota that rounds to none', { cpuCores: 1e-10 }, 'HostConfig.NanoCpus'],
    ['a CPU quota that is no number', { cpuCores: Number.NaN }, 'HostConfig.NanoCpus'],
    ['an endless CPU quota', { cpuCores: Number.POSITIVE_INFINITY }, 'HostConfig.NanoCpus'],
    ['no pids limit', { pids: 0 }, 'HostConfig.PidsLimit'],
    ['a negative pids limit', { pids: -1 }, 'HostConfig.PidsLimit'],
    ['no deadline', { timeoutMs: 0 }, 'HostConfig.Ulimits'],
    ['an endless deadline', { timeoutMs: Number.POSITIVE_INFINITY }, 'HostConfig.Ulimits'],
    ['a /tmp of any size', { tmpBytes: 0 }, 'HostConfig.Tmpfs'],
    ['a /scratch of half a byte', { scratchBytes: 0.5 }, 'HostConfig.Tmpfs'],
    ['a network nobody knows', { network: 'container:0a1b' as 'host' }, 'HostConfig.NetworkMode'],
    ['a time zone that ends its variable', { timeZone: 'UTC\nNODE_OPTIONS=--require x' }, 'Env'],
    ['a language that is none', { locale: 'de_CH.UTF-8' }, 'Env'],
    ['a proxy without a network', { proxy: { url: 'http://proxy.test:1', exceptions: [] } }, 'Env'],
    ['certificates without a network', { certificates: [PEM] }, 'Env'],
    [
      'a proxy with a password',
      { network: 'bridge', proxy: { url: 'http://me:secret@proxy.test:1', exceptions: [] } },
      'Env',
    ],
    [
      'a proxy that is a file',
      { network: 'bridge', proxy: { url: 'file:///etc/passwd', exceptions: [] } },
      'Env',
    ],
    [
      'an exception that ends the list',
      { network: 'bridge', proxy: { url: 'http://proxy.test:1', exceptions: ['a,*'] } },
      'Env',
    ],
    [
      'a certificate that is a key',
      { network: 'bridge', certificates: [PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY')] },
      'Env',
    ],
    [
      'a certificate with more behind it',
      { network: 'bridge', certificates: [`${PEM}\n\0NODE_OPTIONS=--inspect`] },
      'Env',
    ],
    [
      'more certificates than a variable holds',
      { network: 'bridge', certificates: [Array(3000).fill(PEM).join('\n')] },
      'Env',
    ],
    ['a runtime that is a path', { runtime: '/tmp/runtime' }, 'HostConfig.Runtime'],
    ['a runtime without a name', { runtime: '' }, 'HostConfig.Runtime'],
    ['the root of the host', mount({ hostPath: '/' }), 'HostConfig.Mounts'],
    ['the socket of an engine', mount({ hostPath: '/srv/docker.sock' }), 'HostConfig.Mounts'],
    ['a relative folder', mount({ hostPath: 'srv/data' }), 'HostConfig.Mounts'],
    ['a folder above', mount({ hostPath: '/srv/../etc' }), 'HostConfig.Mounts'],
    ['a folder with a mode behind it', mount({ hostPath: '/srv/data:/x:rw' }), 'HostConfig.Mounts'],
    ['a mount over the runner', mount({ containerPath: '/lurkbox' }), 'HostConfig.Mounts'],
    ['a mount over the plugin', mount({ containerPath: '/mnt/../plugin' }), 'HostConfig.Mounts'],
    [
      'two mounts in one place',
      { mounts: [...(mount({}).mounts ?? []), ...(mount({ hostPath: '/srv/b' }).mounts ?? [])] },
      'HostConfig.Mounts',
    ],
    ...FORBIDDEN_MOUNTS.flatMap((folder): [string, Partial<Grant>, string][] => [
      [`${folder} as a mount`, mount({ hostPath: folder }), 'HostConfig.Mounts'],
      [`a mount in ${folder}`, mount({ hostPath: `${folder}/x` }), 'HostConfig.Mounts'],
    ]),
    ['a mount around a folder of the engine', mount({ hostPath: '/var/lib' }), 'HostConfig.Mounts'],
  ])('%s', (_title, grant, path) => {
    expect(pathsOf(grant)).toContain(path);
  });
});

test.each(['/srv/data', '/home/ada/data', '/var/lib/dockers', '/tmp/x', '/etcetera', '/data'])(
  'the folder %s can be mounted',
  (hostPath) => {
    expect(pathsOf(mount({ hostPath }))).toEqual([]);
  },
);

describe('the allowance for a container is refused', () => {
  const pathsOfUnsound = (change: object): string[] =>
    findUnsound({ ...allowanceOf(), ...change }).map(({ path }) => path);
  const withLabels = (change: object): string[] =>
    pathsOfUnsound({ labels: { ...CONTAINER_LABELS, ...change } });

  test.each([
    '',
    'other',
    'lurkbox-',
    'lurkbox-A',
    'lurkbox-../x',
    `lurkbox-${'x'.repeat(121)}`,
    'lurkbox-a b',
  ])('with the name "%s"', (name) => {
    expect(pathsOfUnsound({ name })).toContain('name');
  });

  test.each([0, 999, 65_533, 65_534, 65_535, -1, 40_000.5, Number.NaN])('with the user %s', (uid) => {
    expect(pathsOfUnsound({ uid })).toContain('User');
  });

  test.each(['', 'node:24', 'sha256:', `sha256:${'g'.repeat(64)}`, `sha512:${'0'.repeat(64)}`])(
    'with the image "%s"',
    (image) => {
      expect(pathsOfUnsound({ image })).toEqual(['Image']);
    },
  );

  test.each(Object.keys(CONTAINER_LABELS))('without the label %s', (label) => {
    const { [label]: _, ...labels } = CONTAINER_LABELS;
    expect(pathsOfUnsound({ labels })).toContain(`Labels.${label}`);
    expect(withLabels({ [label]: '' })).toContain(`Labels.${label}`);
    expect(withLabels({ [label]: 'two\nlines' })).toContain(`Labels.${label}`);
  });

  test('with a foreign label, or one that names another owner', () => {
    expect(withLabels({ 'com.example': 'x' })).toEqual(['Labels.com.example']);
    expect(withLabels({ 'lurkbox.kind': 'image' })).toEqual(['Labels.lurkbox.kind']);
    expect(withLabels({ 'lurkbox.execution': 'other' })).toEqual(['Labels.lurkbox.execution']);
    expect(withLabels({ 'lurkbox.plugin': 'other' })).toEqual(['Labels.lurkbox.plugin']);
  });

  test('with a tmpfs at an unexpected place', () => {
    expect(pathsOfUnsound({ tmpfs: { '/tmp': MIB, '/run': MIB } })).toEqual(['HostConfig.Tmpfs']);
    expect(pathsOfUnsound({ tmpfs: {} })).toEqual(['HostConfig.Tmpfs']);
  });
});
