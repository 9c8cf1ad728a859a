import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type DockerCreateOptions, toCreateOptions } from '../../src/engine/docker/to-create-options.ts';
import type { EngineFacts } from '../../src/engine/engine.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { MIB, specOf } from '../spec/sample.ts';

/** An engine that can enforce everything. */
export const FACTS: EngineFacts = {
  id: 'ENGINE',
  name: 'engine-host',
  version: '20.10.24',
  apiVersion: '1.41',
  platform: { os: 'linux', architecture: 'amd64' },
  kernelVersion: '6.1.0',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  cgroupVersion: '2',
  cgroupDriver: 'systemd',
  storageDriver: 'overlay2',
  rootless: false,
  userns: false,
  seccomp: true,
  apparmor: false,
  limits: { memory: true, swap: true, cpu: true, pids: true },
  dataRoot: '/var/lib/docker',
  defaultRuntime: 'runc',
  runtimes: { runc: { program: 'runc', args: [] } },
  warnings: [],
  cores: 2,
  memoryBytes: 8 * 1024 * MIB,
};

/** The Docker options of the minimal grant, with some of it changed. */
export function optionsOf(grant: Partial<Grant> = {}, facts: Partial<EngineFacts> = {}): DockerCreateOptions {
  return toCreateOptions(specOf(grant), { ...FACTS, ...facts });
}

const mountName = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);

const mount = fc
  .record({ name: mountName, mode: fc.constantFrom('ro' as const, 'rw' as const) })
  .map((asked) => ({
    ...asked,
    hostPath: `/srv/${asked.name}`,
    containerPath: `/mnt/${asked.name}`,
  }));

const mebibytes = (min: number, max = 1_048_576) => fc.integer({ min, max }).map((count) => count * MIB);

const AUTHORITY = readFileSync(join(import.meta.dirname, '../fixtures/tls/authority.pem'), 'utf8').trim();

/** Every grant that a policy can give: from the floors up to the largest numbers that manifest and policy may write. */
export const anyGrant: fc.Arbitrary<Grant> = fc
  .record({
    plugin: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
    uid: fc.integer({ min: 1_000, max: 65_532 }),
    uids: fc.constant({ first: 40_000, last: 59_999 }),
    network: fc.constantFrom('none' as const, 'bridge' as const, 'host' as const),
    exec: fc.boolean(),
    memoryBytes: mebibytes(64),
    cpuCores: fc.integer({ min: 5, max: 6400 }).map((percent) => percent / 100),
    timeoutMs: fc.integer({ min: 100, max: 86_400_000 }),
    isolation: fc.constant({ mode: 'execution', maxCalls: 1, maxAgeMs: 0 } as const),
    pids: fc.integer({ min: 16, max: 32_768 }),
    outputBytes: fc.integer({ min: 4, max: 1_048_576 }).map((kibibytes) => kibibytes * 1024),
    tmpBytes: mebibytes(1),
    scratchBytes: fc.oneof(fc.constant(0), mebibytes(1)),
    mounts: fc.uniqueArray(mount, { maxLength: 16, selector: ({ name }) => name }),
    channels: fc.option(fc.array(fc.string(), { maxLength: 3 })),
    runtime: fc.option(fc.constantFrom('runc', 'crun', 'runsc')),
    timeZone: fc.constantFrom('UTC', 'Europe/Zurich', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires'),
    locale: fc.option(fc.constantFrom('de-CH', 'zh-Hant-TW', 'fr', 'es-419')),
    proxy: fc.option(
      fc.record({
        url: fc.constantFrom('http://proxy.example.org:3128', 'https://[fd00::7]:8443'),
        exceptions: fc.subarray(['.example.org', '*', '10.0.0.7:8080', '[fd00::7]']),
      }),
    ),
    certificates: fc.subarray([AUTHORITY]),
    acceptUnenforced: fc
      .subarray(['tmp_files', 'tmp_noexec', 'cpu_seconds'] as const)
      .map((controls) => [...controls]),
  })
  .map((grant) => (grant.network === 'none' ? { ...grant, proxy: null, certificates: [] } : grant));
