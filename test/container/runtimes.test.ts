import { accessSync, constants, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SYSTEM_PATH } from '../../scripts/dockerd.ts';
import { readCases, stage, toMatcher } from '../helpers/abuse.ts';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import { createPlugin, type TestPlugin } from '../helpers/workspace.ts';

const corpus = await readCases();

/** Containers under other OCI runtimes than that of the engine, for real, in an engine that has them registered. */
let folder = '';
let engine: PrivateEngine;

/** `ptrace` runs everywhere; and where lurkbox grants no network, gVisor needs no stack that looks for one. */
const GVISOR_ARGS = ['--platform=ptrace', '--network=none', '--oci-seccomp'];
const ACCEPTED = ['tmp_files', 'tmp_noexec', 'cpu_seconds'];
const GVISOR = { oci_runtime: 'runsc', accept_unenforced: ACCEPTED };

beforeAll(async () => {
  const [runsc, crun] = [findProgram('runsc'), findProgram('crun')];
  folder = await mkdtemp(join(tmpdir(), 'lurkbox-runtimes-'));
  const broken = join(folder, 'runc');
  await writeFile(broken, '#!/bin/sh\nexit 1\n');
  await chmod(broken, 0o755);
  engine = await createPrivateEngine({
    hideUnifiedCgroups: true,
    runtimes: {
      runsc: { path: runsc, runtimeArgs: GVISOR_ARGS },
      'runsc-bare': { path: runsc, runtimeArgs: ['--platform=ptrace', '--network=none'] },
      'runsc-boundless': { path: runsc, runtimeArgs: [...GVISOR_ARGS, '--ignore-cgroups'] },
      'runsc-by-name': { path: 'runc' },
      crun: { path: crun },
      broken: { path: broken },
      missing: { path: join(folder, 'nowhere/crun') },
      unknown: { path: join(folder, 'wrapper') },
    },
  });
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('on gVisor', () => {
  let probe: TestPlugin;
  beforeAll(async () => {
    probe = await createProbe('runtime-gvisor', GVISOR);
  });
  afterAll(() => probe?.[Symbol.asyncDispose]());

  test('a plugin sees the kernel of gVisor, and its usage is measured', async () => {
    const result = await probe.run(readVersion);
    expect(result).toMatchObject({ outcome: 'OK', result: expect.stringMatching(/^Linux version 4\.4\.0 /) });
    expect(result.result).not.toBe(readFileSync('/proc/version', 'utf8'));
    expect(result.usage.peakMemoryBytes).toBeGreaterThan(1024 * 1024);
    expect(result.usage.cpuTimeMs).toBeGreaterThan(1);
  });

  test('a plugin has no rights, and the filter is on every thread (P6)', async () => {
    const threads = await probe.ask(readThreads);
    expect(threads.length).toBeGreaterThan(5);
    const none = '0000000000000000';
    for (const thread of threads) {
      expect(thread).toMatchObject({
        Uid: expect.stringMatching(/^([45]\d{4})(\t\1){3}$/),
        Gid: expect.stringMatching(/^([45]\d{4})(\t\1){3}$/),
        CapInh: none,
        CapPrm: none,
        CapEff: none,
        CapBnd: none,
        Seccomp: '2',
      });
    }
  });

  test('a plugin writes only in /tmp, up to its limit (P6)', async () => {
    const answers = await probe.ask(tryWrites, [
      '/x',
      '/plugin/x',
      '/etc/passwd',
      '/dev/x',
      '/sys/x',
      '/tmp/x',
    ]);
    expect(answers).toEqual(['EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'written']);
    const filled = await probe.run(() => {
      const { writeFileSync } = process.getBuiltinModule('node:fs');
      const written: number[] = [];
      try {
        for (const name of Array(64).keys())
          written.push(name, writeFileSync(`/tmp/${name}`, Buffer.alloc(2 ** 20)) ?? 0);
      } catch (error) {
        return [(error as NodeJS.ErrnoException).code, written.length / 2];
      }
      return ['not full', written.length / 2];
    });
    expect(filled.result).toEqual(['ENOSPC', 48]);
  });

  test('a plugin has no network (P6)', async () => {
    const [interfaces, answers] = await probe.ask(async () => {
      const { networkInterfaces } = process.getBuiltinModule('node:os');
      const { connect } = process.getBuiltinModule('node:net');
      const reach = (host: string): Promise<string | undefined> =>
        new Promise((resolve) => {
          const socket = connect({ host, port: 53, timeout: 2000 });
          socket.once('connect', () => resolve('connected'));
          socket.once('timeout', () => resolve('timeout'));
          socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        });
      return [
        Object.keys(networkInterfaces()),
        await Promise.all(['192.0.2.1', '172.17.0.1', '1.1.1.1'].map(reach)),
      ];
    });
    expect(interfaces).toEqual(['lo']);
    for (const answer of answers) expect(answer).toMatch(/^(EHOSTUNREACH|ENETUNREACH)$/);
  });

  test('a busy loop is killed at its deadline, and its sandbox is gone (P2, P4)', async () => {
    const result = await probe.run(
      () => {
        for (;;);
      },
      null,
      { timeoutMs: 1000 },
    );
    expect(result.outcome).toBe('TIMEOUT');
    await expectNothingRuns();
  });

  test('a plugin gets no more CPU than granted (P6)', async () => {
    const { outcome, usage, phases } = await probe.run(() => {
      const end = Date.now() + 3000;
      while (Date.now() < end);
    });
    expect(outcome).toBe('OK');
    // Half a core is granted; on a machine that has more to do it is less.
    expect(usage.cpuTimeMs).toBeLessThan(((phases.bootMs ?? 0) + (phases.runMs ?? 0)) * 0.75);
  });

  test('a plugin has the same memory limit as elsewhere (P6)', async () => {
    const result = await probe.run(() => {
      const kept: Buffer[] = [];
      for (;;) kept.push(Buffer.alloc(2 ** 20, 1));
    });
    expect(result.outcome).toBe('OUT_OF_MEMORY');
    await expectNothingRuns();
  });

  test('threads end at the limit, of the plugin or of the sandbox (P6)', async () => {
    const result = await probe.run(async () => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const workers = Array.from(
        { length: 200 },
        () => new Worker('setInterval(() => {}, 1000)', { eval: true }),
      );
      await Promise.all(
        workers.map(
          (worker) => new Promise((resolve, reject) => worker.once('online', resolve).once('error', reject)),
        ),
      );
      return 'two hundred';
    });
    expect(['PLUGIN_CRASHED', 'PLUGIN_ERROR', 'OUT_OF_MEMORY']).toContain(result.outcome);
    await expectNothingRuns();
  });

  test('a flood of output is cut off (P5)', async () => {
    const flood = (): never => {
      const line = 'x'.repeat(64 * 1024);
      for (;;) process.getBuiltinModule('node:fs').writeSync(1, `${line}\n`);
    };
    const result = await probe.run(flood, null, { timeoutMs: 2_000 });
    expect(result.outcome).toBe('TIMEOUT');
    expect(result.logs.length).toBeLessThan(1_010);
    expect(result.warnings.join()).toContain('log lines between the first and the last ones were left out');
  });

  test('an execution finds nothing of the last one (P7)', async () => {
    await probe.ask(tryWrites, ['/tmp/left']);
    expect(await probe.ask(() => process.getBuiltinModule('node:fs').readdirSync('/tmp'))).toEqual([]);
  });

  /** Of the corpus: what is answered by a filter, by rights or by the image is answered the same by another kernel. */
  const SAME_ANSWERS = [
    'call-as-32-bit',
    'daemon-that-stays',
    'environment-dump',
    'every-kind-of-child',
    'raw-attack-surface',
    'raw-identity',
    'raw-keyrings',
    'raw-mounts',
    'raw-processes',
    'raw-socket-families',
    'raw-tracing',
    'replace-node',
  ];

  test.each(SAME_ANSWERS)(
    'the hostile plugin %s gets the same answers as on runc (P1, P2, P6)',
    async (id) => {
      const found = corpus.find((abuse) => abuse.id === id);
      if (found === undefined) throw new Error(`the corpus has no case \`${id}\` any more`);
      const { expectation } = found;
      // A thread costs gVisor a process and more of the host, and `pids` counts those.
      const policy = { ...expectation.policy, ...GVISOR, plugins: { [id]: { resources: { pids: 128 } } } };
      await using staged = await stage({ ...found, expectation: { ...expectation, policy } }, engine.env);
      expect(await staged.load()).toBeNull();
      const result = await staged.call(NO_LURES);
      expect([expectation.outcome].flat(), JSON.stringify(result, null, 2)).toContain(result.outcome);
      expect(result.result).toMatchObject(
        toMatcher(expectation.observed.result ?? null, (pattern) => expect.stringMatching(pattern)) ?? {},
      );
      for (const never of expectation.never) expect(JSON.stringify(result)).not.toMatch(new RegExp(never));
    },
  );
});

describe('on crun', () => {
  test('a plugin runs with the same controls as on runc (P6)', async () => {
    await using probe = await createProbe('runtime-crun', { oci_runtime: 'crun' });
    expect(await probe.ask(readVersion)).toBe(readFileSync('/proc/version', 'utf8'));
    const none = '0000000000000000';
    for (const thread of await probe.ask(readThreads)) {
      expect(thread).toMatchObject({ CapEff: none, CapBnd: none, NoNewPrivs: '1', Seccomp: '2' });
    }
    const writes = await probe.ask(tryWrites, ['/x', '/plugin/x', '/tmp/x']);
    expect(writes).toEqual([
      expect.stringMatching(/EROFS|EACCES/),
      expect.stringMatching(/EROFS|EACCES/),
      'written',
    ]);
    expect(await probe.ask(trySpawn)).toBe('EPERM');
    const hungry = await probe.run(() => {
      const kept: Buffer[] = [];
      for (;;) kept.push(Buffer.alloc(2 ** 20, 1));
    });
    expect(hungry.outcome).toBe('OUT_OF_MEMORY');
  });
});

describe('the policy', () => {
  test('can name a runtime for all plugins, and another for one plugin', async () => {
    const policy = { oci_runtime: 'crun', plugins: { 'runtime-own': GVISOR } };
    await using general = await createProbe('runtime-general', policy);
    await using own = await createProbe('runtime-own', policy);
    expect(await general.ask(readVersion)).toBe(readFileSync('/proc/version', 'utf8'));
    expect(await own.ask(readVersion)).toMatch(/^Linux version 4\.4\.0 /);
  });

  test.each<[string, object, RegExp]>([
    [
      'gVisor, for all that it may leave out',
      { oci_runtime: 'runsc' },
      /"tmp_files".*"tmp_noexec".*"cpu_seconds"/s,
    ],
    [
      'gVisor, for one thing that it may leave out',
      { oci_runtime: 'runsc', accept_unenforced: ['tmp_files', 'cpu_seconds'] },
      /`noexec`.*List "tmp_noexec" in `accept_unenforced`/s,
    ],
    [
      'gVisor without the seccomp profile',
      { ...GVISOR, oci_runtime: 'runsc-bare' },
      /`--oci-seccomp` is missing/,
    ],
    [
      'gVisor without limits',
      { ...GVISOR, oci_runtime: 'runsc-boundless' },
      /`--ignore-cgroups`: .*memory, CPU/,
    ],
    [
      'what only calls itself gVisor',
      { ...GVISOR, oci_runtime: 'runsc-by-name' },
      /is `runc`, and is named as if/,
    ],
    [
      'a runtime that nobody knows',
      { oci_runtime: 'unknown' },
      /is `wrapper`: lurkbox does not know what it enforces/,
    ],
  ])('is refused with %s: nothing is created (P1, P6)', async (_what, policy, problem) => {
    await expectNothingCreated(policy, 'ENGINE_INSECURE', problem);
  });

  test('that names an unregistered runtime is refused: nothing is created (P1, P6)', async () => {
    await expectNothingCreated(
      { oci_runtime: 'kata' },
      'RUNTIME_UNAVAILABLE',
      /`kata` is not registered.*has: .*runsc/,
    );
  });

  test.each([
    ['missing', /no such file or directory.*not where the engine was told.*The runtime is `missing`\.$/s],
    ['broken', /did not terminate successfully: exit status 1.*The runtime is `broken`\.$/s],
  ])(
    'that names a runtime that is %s fails the start once, and leaves nothing (P1, P2, P9)',
    async (runtime, message) => {
      await using probe = await createProbe(`runtime-${runtime}`, { oci_runtime: runtime });
      const since = Date.now();
      const { outcome, error } = await probe.call();
      expect(outcome).toBe('RUNTIME_UNAVAILABLE');
      expect(error?.message).toMatch(message);
      expect(await listCreated(engine, since)).toHaveLength(1);
    },
  );
});

const NO_LURES = { canaryFile: '/etc/shadow', port: 9, addresses: ['127.0.0.1'], abstractSocket: 'nobody' };

/** The runtimes that the tests need are set up by `make`; a test that went without them would prove nothing. */
function findProgram(name: string): string {
  const found = SYSTEM_PATH.split(':')
    .map((parent) => join(parent, name))
    .find((path) => isExecutable(path));
  if (found !== undefined) return found;
  throw new Error(
    `\`${name}\` is not installed. \`make runtimes\` installs it as root on Debian; by hand: \`apt-get install ${name}\`.`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function createProbe(name: string, policy: object): Promise<TestPlugin> {
  const resources = { memory_mb: 128, cpu_percent: 50, timeout_seconds: 20, tmp_mb: 48 };
  return createPlugin(name, { manifest: { resources } }, { policy, env: engine.env });
}

async function expectNothingCreated(policy: object, outcome: string, problem: RegExp): Promise<void> {
  await using probe = await createProbe('runtime-refused', policy);
  const since = Date.now();
  const result = await probe.call();
  expect(result.outcome).toBe(outcome);
  expect(result.error?.message).toMatch(problem);
  expect(await listCreated(engine, since)).toEqual([]);
}

/** Ids of the containers that were created in an engine since, whatever became of them. */
async function listCreated({ socketPath }: PrivateEngine, sinceMs: number): Promise<string[]> {
  const filters = JSON.stringify({ type: ['container'], event: ['create'] });
  const [since, until] = [sinceMs, Date.now() + 1].map((time) => (time / 1000).toFixed(3));
  const query = new URLSearchParams({ since: since!, until: until!, filters });
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http.get({ socketPath, path: `/events?${query}` }, resolve).on('error', reject);
  const text = Buffer.concat(await (await promise).toArray()).toString();
  const lines = text.trim().split('\n').filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { id: string }).id);
}

/** Neither shim nor sandbox, nor any process of a plugin. */
async function expectNothingRuns(): Promise<void> {
  await expect.poll(() => engine.programs().sort(), { timeout: 20_000 }).toEqual(['containerd', 'dockerd']);
}

function readVersion(): string {
  return process.getBuiltinModule('node:fs').readFileSync('/proc/version', 'utf8');
}

async function readThreads(): Promise<Record<string, string>[]> {
  const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs');
  return readdirSync('/proc/self/task').map((id) => {
    const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8');
    return Object.fromEntries(status.split('\n').map((line) => line.split(/:\s*/)));
  });
}

function tryWrites(files: string[]): string[] {
  return files.map((file) => {
    try {
      process.getBuiltinModule('node:fs').writeFileSync(file, 'x');
      return 'written';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  });
}

function trySpawn(): string | undefined {
  const { error } = process.getBuiltinModule('node:child_process').spawnSync(process.execPath, ['-v']);
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
