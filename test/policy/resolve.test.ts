import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PluginManifest, PluginManifestSchema } from '../../src/manifest/schema.ts';
import { checkPolicy } from '../../src/policy/load.ts';
import { resolveGrant, resolveOrThrow } from '../../src/policy/resolve.ts';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/schema.ts';
import { MINIMAL } from '../manifest/sample.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const MIB = 1024 * 1024;

test('the grant of a manifest that asks for nothing is fixed', () => {
  expect(grantOf({})).toEqual({
    plugin: 'word-count',
    uid: 65_532,
    uids: { first: 40_000, last: 59_999 },
    network: 'none',
    exec: false,
    memoryBytes: 536_870_912,
    cpuCores: 0.8,
    timeoutMs: 30_000,
    pids: 64,
    outputBytes: 1_048_576,
    tmpBytes: 67_108_864,
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
  });
});

test('the default policy is fixed', () => {
  expect(DEFAULT_POLICY).toEqual({
    ceilings: {
      memory_mb: 1024,
      cpu_percent: 100,
      timeout_seconds: 120,
      pids: 128,
      output_kb: 16_384,
      tmp_mb: 256,
      scratch_mb: 512,
    },
    allow: { scratch: true, bridge: false, host_network: false, exec: false, mounts: {} },
    keep_versions: 3,
    max_versions: 20,
    warm: 'adaptive',
    time_zone: 'UTC',
    accept_unenforced: [],
    uids: { first: 40_000, last: 59_999 },
    vendored: { max_entries: 50_000, max_mb: 256 },
    plugins: {},
  });
});

describe('a policy grants', () => {
  const mounts = { data: { path: '/srv/data', mode: 'rw' } };
  const hostNetwork = {
    allow: { host_network: true },
    plugins: { 'word-count': { allow: { host_network: true } } },
  };

  test.each<[string, object, object, object]>([
    ['memory', { resources: { memory_mb: 128 } }, {}, { memoryBytes: 128 * MIB }],
    ['exactly the ceiling', { resources: { memory_mb: 1024 } }, {}, { memoryBytes: 1024 * MIB }],
    ['exactly the floor', { resources: { memory_mb: 64 } }, {}, { memoryBytes: 64 * MIB }],
    ['cpu', { resources: { cpu_percent: 35 } }, {}, { cpuCores: 0.35 }],
    ['time', { resources: { timeout_seconds: 1.5 } }, {}, { timeoutMs: 1500 }],
    ['pids', { resources: { pids: 16 } }, {}, { pids: 16 }],
    ['output', { resources: { output_kb: 4 } }, {}, { outputBytes: 4096 }],
    ['the size of /tmp', { resources: { tmp_mb: 100 } }, {}, { tmpBytes: 100 * MIB }],
    ['scratch', { permissions: { filesystem: true } }, {}, { scratchBytes: 128 * MIB }],
    [
      'scratch of a size',
      { permissions: { filesystem: { scratch: true } }, resources: { scratch_mb: 200 } },
      {},
      { scratchBytes: 200 * MIB },
    ],
    ['exec', { permissions: { exec: true } }, { allow: { exec: true } }, { exec: true }],
    ['a bridge', { permissions: { network: true } }, { allow: { bridge: true } }, { network: 'bridge' }],
    [
      'a bridge to this plugin only',
      { permissions: { network: true } },
      { plugins: { 'word-count': { allow: { bridge: true } } } },
      { network: 'bridge' },
    ],
    [
      'the host network by both switches',
      { permissions: { network: 'host' } },
      hostNetwork,
      { network: 'host' },
    ],
    [
      'a mount',
      { permissions: { filesystem: { mounts: { data: 'rw' } } } },
      { allow: { mounts }, plugins: { 'word-count': { allow: { mounts: ['data'] } } } },
      { mounts: [{ name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'rw' }] },
    ],
    [
      'less of a mount than the policy allows',
      { permissions: { filesystem: { mounts: { data: 'ro' } } } },
      { allow: { mounts }, plugins: { 'word-count': { allow: { mounts: ['data'] } } } },
      {
        mounts: [{ name: 'data', hostPath: '/srv/data', containerPath: '/mnt/data', mode: 'ro' }],
        scratchBytes: 0,
      },
    ],
    ['channels', { permissions: { channels: ['slack'] } }, {}, { channels: ['slack'] }],
    ['no channel', { permissions: { channels: [] } }, {}, { channels: [] }],
    ['the runtime of the policy', {}, { oci_runtime: 'runsc' }, { runtime: 'runsc' }],
    [
      'the runtime of the plugin before that of the policy',
      {},
      { oci_runtime: 'crun', plugins: { 'word-count': { oci_runtime: 'runsc' } } },
      { runtime: 'runsc' },
    ],
    [
      'the controls that may be missing, in the order of the table',
      {},
      { accept_unenforced: ['cpu_seconds', 'tmp_files'] },
      { acceptUnenforced: ['tmp_files', 'cpu_seconds'] },
    ],
    [
      'those of the plugin in place of those of the policy',
      {},
      { accept_unenforced: ['cpu_seconds'], plugins: { 'word-count': { accept_unenforced: [] } } },
      { acceptUnenforced: [] },
    ],
    [
      "the operator's number before that of the manifest",
      { resources: { memory_mb: 4096 } },
      { plugins: { 'word-count': { resources: { memory_mb: 256 } } } },
      { memoryBytes: 256 * MIB },
    ],
    [
      'up to a ceiling of the plugin above the general one',
      { resources: { memory_mb: 2048 } },
      { plugins: { 'word-count': { ceilings: { memory_mb: 2048 } } } },
      { memoryBytes: 2048 * MIB },
    ],
    [
      'the baseline lowered to a smaller ceiling',
      {},
      { ceilings: { memory_mb: 100 } },
      { memoryBytes: 100 * MIB },
    ],
    ['half of a small memory for /tmp', { resources: { memory_mb: 100 } }, {}, { tmpBytes: 50 * MIB }],
    [
      'a quarter of a small memory each for /tmp and /scratch',
      { resources: { memory_mb: 128 }, permissions: { filesystem: true } },
      {},
      { tmpBytes: 32 * MIB, scratchBytes: 32 * MIB },
    ],
    ['the pinned content', {}, { plugins: { 'word-count': { digest: DIGEST } } }, { plugin: 'word-count' }],
    [
      'nothing of the rules for another plugin',
      {},
      { plugins: { other: { oci_runtime: 'x' } } },
      { runtime: null },
    ],
  ])('%s', (_what, manifest, policy, expected) => {
    expect(grantOf(manifest, policy)).toMatchObject(expected);
  });

  test('a grant that cannot be changed', () => {
    const grant = grantOf({ permissions: { channels: ['slack'] } });
    expect(() => Object.assign(grant, { exec: true })).toThrow(TypeError);
    expect(() => (grant.channels as string[]).push('x')).toThrow(TypeError);
    expect(() => (grant.mounts as unknown[]).push('x')).toThrow(TypeError);
  });
});

describe('a policy denies', () => {
  test.each<[string, object, object, string, string]>([
    [
      'memory above the ceiling, naming both numbers and the key',
      { resources: { memory_mb: 1025 } },
      {},
      'resources.memory_mb',
      'asks for 1025 MiB, and the ceiling is 1024 MiB; ask for less, or raise `plugins.word-count.ceilings.memory_mb` in the policy',
    ],
    [
      'cpu above the ceiling',
      { resources: { cpu_percent: 101 } },
      {},
      'resources.cpu_percent',
      'asks for 101 %, and the ceiling is 100 %',
    ],
    [
      'time above the ceiling',
      { resources: { timeout_seconds: 120.5 } },
      {},
      'resources.timeout_seconds',
      'asks for 120.5 s, and the ceiling is 120 s',
    ],
    [
      'pids above the ceiling',
      { resources: { pids: 129 } },
      {},
      'resources.pids',
      'asks for 129, and the ceiling is 128',
    ],
    [
      'output above the ceiling',
      { resources: { output_kb: 16_385 } },
      {},
      'resources.output_kb',
      'asks for 16385 KiB, and the ceiling is 16384 KiB',
    ],
    [
      '/tmp above the ceiling',
      { resources: { tmp_mb: 257 } },
      {},
      'resources.tmp_mb',
      'asks for 257 MiB, and the ceiling is 256 MiB',
    ],
    [
      '/scratch above the ceiling',
      { resources: { scratch_mb: 513, memory_mb: 1024 }, permissions: { filesystem: true } },
      {},
      'resources.scratch_mb',
      'asks for 513 MiB, and the ceiling is 512 MiB',
    ],
    [
      'a number above a ceiling of the plugin below the general one',
      { resources: { pids: 100 } },
      { plugins: { 'word-count': { ceilings: { pids: 64 } } } },
      'resources.pids',
      'the ceiling is 64',
    ],
    [
      'memory below the floor',
      { resources: { memory_mb: 63 } },
      {},
      'resources.memory_mb',
      'asks for 63 MiB, and at least 64 MiB is needed. Node itself',
    ],
    [
      'cpu below the floor',
      { resources: { cpu_percent: 4 } },
      {},
      'resources.cpu_percent',
      'asks for 4 %, and at least 5 % is needed',
    ],
    [
      'time below the floor',
      { resources: { timeout_seconds: 0.05 } },
      {},
      'resources.timeout_seconds',
      'asks for 0.05 s, and at least 0.1 s is needed',
    ],
    [
      'pids below the floor',
      { resources: { pids: 15 } },
      {},
      'resources.pids',
      'asks for 15, and at least 16 is needed',
    ],
    [
      'output below the floor',
      { resources: { output_kb: 3 } },
      {},
      'resources.output_kb',
      'asks for 3 KiB, and at least 4 KiB is needed',
    ],
    [
      '/tmp as large as the memory',
      { resources: { memory_mb: 128, tmp_mb: 128 } },
      {},
      'resources.memory_mb',
      '`/tmp` (128 MiB) count as memory and must stay below the 128 MiB',
    ],
    [
      '/tmp and /scratch together as large as the memory',
      { resources: { memory_mb: 128, tmp_mb: 64, scratch_mb: 64 }, permissions: { filesystem: true } },
      {},
      'resources.memory_mb',
      '`/tmp` (64 MiB) and `/scratch` (64 MiB) count as memory and must stay below the 128 MiB',
    ],
    [
      'a size for a scratch that nobody asked for',
      { resources: { scratch_mb: 10 } },
      {},
      'resources.scratch_mb',
      '`permissions.filesystem` does not ask for one',
    ],
    [
      'scratch',
      { permissions: { filesystem: true } },
      { allow: { scratch: false } },
      'permissions.filesystem',
      'set `plugins.word-count.allow.scratch`',
    ],
    [
      'scratch to this plugin only',
      { permissions: { filesystem: true } },
      { plugins: { 'word-count': { allow: { scratch: false } } } },
      'permissions.filesystem',
      'the policy does not allow',
    ],
    ['exec', { permissions: { exec: true } }, {}, 'permissions.exec', 'set `plugins.word-count.allow.exec`'],
    [
      'a bridge',
      { permissions: { network: true } },
      {},
      'permissions.network',
      'set `plugins.word-count.allow.bridge`',
    ],
    [
      'the host network',
      { permissions: { network: 'host' } },
      {},
      'permissions.network',
      'set both `allow.host_network` and `plugins.word-count.allow.host_network`',
    ],
    [
      'the host network by the general switch alone',
      { permissions: { network: 'host' } },
      { allow: { host_network: true } },
      'permissions.network',
      'set both',
    ],
    [
      'the host network where only a bridge is allowed',
      { permissions: { network: 'host' } },
      { allow: { bridge: true } },
      'permissions.network',
      'set both',
    ],
    [
      'single hosts, even where a bridge is allowed',
      { permissions: { network: { hosts: ['a.org:443'] } } },
      { allow: { bridge: true } },
      'permissions.network',
      'this version of lurkbox cannot do that',
    ],
    ['secrets', { permissions: { secrets: ['API_KEY'] } }, {}, 'permissions.secrets', 'asks for "API_KEY"'],
    [
      'a mount that the policy does not know',
      { permissions: { filesystem: { mounts: { data: 'ro' } } } },
      {},
      'permissions.filesystem.mounts.data',
      'list it in `plugins.word-count.allow.mounts`',
    ],
    [
      'a mount that the policy gives to another plugin',
      { permissions: { filesystem: { mounts: { data: 'ro' } } } },
      {
        allow: { mounts: { data: { path: '/srv/data', mode: 'ro' } } },
        plugins: { other: { allow: { mounts: ['data'] } } },
      },
      'permissions.filesystem.mounts.data',
      'does not give this plugin',
    ],
    [
      'writing to a mount that is read-only',
      { permissions: { filesystem: { mounts: { data: 'rw' } } } },
      {
        allow: { mounts: { data: { path: '/srv/data', mode: 'ro' } } },
        plugins: { 'word-count': { allow: { mounts: ['data'] } } },
      },
      'permissions.filesystem.mounts.data',
      'asks for "rw", and the policy allows "ro"',
    ],
    [
      'other content than the pinned',
      {},
      { plugins: { 'word-count': { digest: `sha256:${'b'.repeat(64)}` } } },
      '',
      `and it is ${DIGEST}`,
    ],
  ])('%s', (_what, manifest, policy, path, message) => {
    const resolution = resolveGrant(manifestOf(manifest), policyOf(policy), DIGEST);
    expect(resolution).toEqual({ ok: false, denials: [{ path, message: expect.stringContaining(message) }] });
  });

  test('everything at once', () => {
    const manifest = manifestOf({
      permissions: { network: 'host', exec: true, secrets: ['A'] },
      resources: { memory_mb: 4096, pids: 1 },
    });
    const resolution = resolveGrant(manifest, DEFAULT_POLICY, DIGEST);
    expect(!resolution.ok && resolution.denials.map(({ path }) => path)).toEqual([
      'resources.memory_mb',
      'resources.pids',
      'permissions.exec',
      'permissions.network',
      'permissions.secrets',
    ]);
  });
});

test('`resolveOrThrow` throws every denial as a problem', () => {
  const manifest = manifestOf({ permissions: { network: true, exec: true } });
  expect(() => resolveOrThrow(manifest, DEFAULT_POLICY, DIGEST)).toThrow(
    expect.objectContaining({
      code: 'POLICY_DENIED',
      message: 'The policy denies what the plugin `word-count` asks for.',
      problems: [
        expect.objectContaining({ path: 'permissions.exec' }),
        expect.objectContaining({ path: 'permissions.network' }),
      ],
    }),
  );
});

test('a plugin named like an inherited property has no rules of its own', () => {
  const manifest = { ...manifestOf({}), name: 'constructor' };
  expect(resolveOrThrow(manifest, DEFAULT_POLICY, DIGEST).grant.runtime).toBeNull();
});

test('any manifest under any policy gets at most what both allow, or a denial', () => {
  let granted = 0;
  fc.assert(
    fc.property(manifestArbitrary(), policyArbitrary(), (manifest, policy) => {
      const resolution = resolveGrant(manifest, policy, DIGEST);
      if (!resolution.ok) {
        expect(resolution.denials.length).toBeGreaterThan(0);
        return;
      }
      granted++;
      const { grant, rating, restrictions } = resolution;
      const own = policy.plugins['word-count'];
      const ceilings = { ...policy.ceilings, ...own?.ceilings } as Policy['ceilings'];
      const asked = manifest.permissions;

      expect(grant.memoryBytes).toBeLessThanOrEqual(ceilings.memory_mb * MIB);
      expect(grant.memoryBytes).toBeGreaterThanOrEqual(64 * MIB);
      expect(grant.cpuCores * 100).toBeLessThanOrEqual(ceilings.cpu_percent + 1e-9);
      expect(grant.timeoutMs).toBeLessThanOrEqual(ceilings.timeout_seconds * 1000);
      expect(grant.pids).toBeLessThanOrEqual(ceilings.pids);
      expect(grant.outputBytes).toBeLessThanOrEqual(ceilings.output_kb * 1024);
      expect(grant.tmpBytes).toBeLessThanOrEqual(ceilings.tmp_mb * MIB);
      expect(grant.scratchBytes).toBeLessThanOrEqual(ceilings.scratch_mb * MIB);
      expect(grant.tmpBytes + grant.scratchBytes).toBeLessThan(grant.memoryBytes);

      expect(grant.exec).toBe(asked.exec);
      if (grant.exec) expect(own?.allow.exec ?? policy.allow.exec).toBe(true);
      expect(grant.network).toBe(
        ({ false: 'none', true: 'bridge', host: 'host' } as const)[String(asked.network) as 'host'],
      );
      if (grant.network === 'bridge') expect(own?.allow.bridge ?? policy.allow.bridge).toBe(true);
      if (grant.network === 'host')
        expect([policy.allow.host_network, own?.allow.host_network]).toEqual([true, true]);
      if (grant.scratchBytes > 0) expect(own?.allow.scratch ?? policy.allow.scratch).toBe(true);
      for (const mount of grant.mounts) expect(own?.allow.mounts).toContain(mount.name);

      const memory = own?.resources.memory_mb ?? manifest.resources.memory_mb;
      if (memory !== undefined) expect(grant.memoryBytes).toBe(memory * MIB);
      expect(rating.score).toBeGreaterThanOrEqual(1);
      expect(rating.score).toBeLessThanOrEqual(8);
      expect(restrictions.length).toBeGreaterThan(25);
    }),
    { numRuns: 1000 },
  );
  expect(granted).toBeGreaterThan(50);
});

function grantOf(manifest: object, policy: object = {}) {
  return resolveOrThrow(manifestOf(manifest), policyOf(policy), DIGEST).grant;
}

function manifestOf(change: object): PluginManifest {
  return PluginManifestSchema.parse({ ...MINIMAL, ...change });
}

function policyOf(value: object): Policy {
  const checked = checkPolicy(value);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
}

const MOUNTS = ['data', 'out'];

/** Mostly absent, so that a request has a chance; otherwise around the floors and ceilings. */
function numbersArbitrary() {
  const sometimes = (min: number, max: number) =>
    fc.option(fc.integer({ min, max }), { freq: 1, nil: undefined });
  return fc
    .record({
      memory_mb: sometimes(60, 2048),
      cpu_percent: sometimes(4, 200),
      timeout_seconds: sometimes(1, 240),
      pids: sometimes(15, 256),
      output_kb: sometimes(3, 20_000),
      tmp_mb: sometimes(1, 300),
      scratch_mb: sometimes(1, 600),
    })
    .map((numbers) => Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)));
}

function manifestArbitrary(): fc.Arbitrary<PluginManifest> {
  const mode = fc.constantFrom('ro', 'ro', 'rw');
  const filesystem = fc.oneof(
    fc.boolean(),
    fc.record({
      scratch: fc.boolean(),
      mounts: fc.dictionary(fc.constantFrom(...MOUNTS), mode, { maxKeys: 1 }),
    }),
  );
  const network = fc.constantFrom(false, false, false, true, true, 'host', { hosts: ['a.org:443'] });
  return fc
    .record({
      permissions: fc.record({ filesystem, network, exec: fc.boolean() }),
      resources: fc.oneof(fc.constant({}), numbersArbitrary()),
    })
    .map(manifestOf);
}

// Contradictory ones are left out, as loading would refuse them.
function policyArbitrary(): fc.Arbitrary<Policy> {
  const on = fc.constantFrom(true, true, true, false);
  const switches = { scratch: on, bridge: on, host_network: on, exec: on };
  const mount = fc.record({ path: fc.constant('/srv/data'), mode: fc.constantFrom('ro', 'rw') });
  const mounts = fc.record({ data: mount, out: mount });
  const numbers = fc.oneof(fc.constant({}), numbersArbitrary());
  const own = fc.record({ ...switches, mounts: fc.subarray(MOUNTS) }, { requiredKeys: ['mounts'] });
  return fc
    .record({
      ceilings: numbers,
      allow: fc.record({ ...switches, mounts }, { requiredKeys: ['mounts'] }),
      plugins: fc.record(
        { 'word-count': fc.record({ ceilings: numbers, allow: own, resources: numbers }) },
        { requiredKeys: [] },
      ),
    })
    .map(checkPolicy)
    .filter((checked) => checked.ok)
    .map((checked) => checked.value);
}
