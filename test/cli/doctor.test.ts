import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { exitCodeOfAttacks, showAttacks } from '../../src/cli/attack.ts';
import type { AttackReport, AttackSummary } from '../../src/index.ts';
import { createWorkspace } from '../helpers/workspace.ts';
import { runCli, SOURCE, STEERING } from './run-cli.ts';

const REPORT: AttackReport = {
  id: 'a',
  area: 'An area',
  title: 'it cannot do that',
  promises: ['P1', 'P6'],
  verdict: 'held',
  expected: null,
  got: null,
  durationMs: 1234,
};

function summaryOf(...attacks: readonly Partial<AttackReport>[]): AttackSummary {
  const reports = attacks.map((report) => ({ ...REPORT, ...report }));
  const count = (verdict: string) => reports.filter((report) => report.verdict === verdict).length;
  return {
    runtime: 'runc',
    ok: false,
    held: count('held'),
    notHeld: count('not held'),
    notTried: count('not tried'),
    notHere: count('not here'),
    durationMs: 11_849,
    attacks: reports,
  };
}

describe('the attacks of doctor', () => {
  afterEach(() => vi.restoreAllMocks());

  function shown(summary: AttackSummary | null): string {
    let text = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      text += chunk;
      return true;
    });
    showAttacks(summary);
    return text;
  }

  test('are listed one per line by area, with their promises and time', () => {
    expect(
      shown(summaryOf({}, { title: 'nor this', durationMs: 90 }, { area: 'Another', durationMs: 0 })),
    ).toBe(
      [
        '',
        'An area',
        '✔ P1 P6 it cannot do that (1.23 s)',
        '✔ P1 P6 nor this (90 ms)',
        '',
        'Another',
        '✔ P1 P6 it cannot do that',
        '',
        '3 of 3 attacks held in 11.8 s, on the runtime runc.',
        '',
      ].join('\n'),
    );
  });

  test('that succeeded have their evidence below them, with control characters escaped', () => {
    const text = shown(
      summaryOf(
        {},
        { verdict: 'not held', expected: 'EPERM', got: '\u001b[2Jstarted\r\u202e' },
        { verdict: 'not tried', got: 'the engine is gone' },
        { verdict: 'not here', got: 'it is arm64' },
      ),
    );
    expect(text.split('\n').slice(3)).toEqual([
      '✖ P1 P6 it cannot do that',
      '    expected EPERM',
      '    got \\u001b[2Jstarted\\u000d\\u202e',
      '? P1 P6 it cannot do that',
      '    could not be carried out: the engine is gone',
      '· P1 P6 it cannot do that: not here, it is arm64',
      '',
      '1 of 3 attacks held in 11.8 s, on the runtime runc. 1 did not. ' +
        '1 could not be carried out, which says nothing of whether they hold. 1 not applicable here. ' +
        'Run it again when the host has less to do, or on one that is faster.',
      '',
    ]);
    expect(text).not.toMatch(STEERING);
  });

  test('exit with 1 if one succeeded, 4 if one could not be carried out, and 0 if all failed', () => {
    const held = { verdict: 'held' } as const;
    const fell = { verdict: 'not held', expected: 'a', got: 'b' } as const;
    const late = { verdict: 'not tried', got: 'c' } as const;
    expect(exitCodeOfAttacks({ ...summaryOf(held), ok: true })).toBe(0);
    expect(exitCodeOfAttacks(summaryOf(held, fell, late))).toBe(1);
    expect(exitCodeOfAttacks(summaryOf(held, late))).toBe(4);
    expect(exitCodeOfAttacks(null)).toBe(1);
  });

  test('are skipped when there is nothing to attack', () => {
    expect(shown(null)).toBe('Nothing was attacked.\n');
  });
});

// Linux, and everything but seccomp.
const INFO = {
  ID: 'X',
  ServerVersion: '20.10.24',
  OSType: 'linux',
  Architecture: 'x86_64',
  SecurityOptions: [] as string[],
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsQuota: true,
  PidsLimit: true,
  DefaultRuntime: 'runc',
  Runtimes: { runc: { path: 'runc' } },
};

async function withEngine<T>(
  work: (env: Record<string, string>) => Promise<T>,
  info: typeof INFO = INFO,
): Promise<T> {
  const replies: Readonly<Record<string, unknown>> = {
    '/_ping': 'OK',
    '/version': { ApiVersion: '1.41', MinAPIVersion: '1.12' },
    '/v1.41/info': info,
    '/v1.41/containers/json': [],
    '/v1.41/networks': [],
  };
  const folder = await mkdtemp(join(tmpdir(), 'lurkbox-doctor-'));
  const socket = join(folder, 'engine.sock');
  const server = createServer(({ url = '', method }, response) => {
    const path = url.split('?')[0] ?? '';
    const reply = replies[path];
    if (reply === undefined || method !== 'GET') response.statusCode = 404;
    response.setHeader('content-type', typeof reply === 'string' ? 'text/plain' : 'application/json');
    response.end(typeof reply === 'string' ? reply : JSON.stringify(reply ?? { message: `no ${path}` }));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    return await work({ DOCKER_HOST: `unix://${socket}` });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

describe('the engine in use', () => {
  const doctor = (env: Record<string, string>, ...args: string[]) =>
    runCli(['doctor', ...args, '--workspace', tmpdir()], { program: SOURCE, env });

  test('is shown by doctor with its address, its name and why it was chosen', async () => {
    await withEngine(
      async ({ DOCKER_HOST: host = '' }) => {
        const { stdout } = await doctor({ DOCKER_HOST: host, DOCKER_CONTEXT: 'far' });
        expect(stdout.split('\n').slice(0, 3)).toEqual([
          `Engine 20.10.24 at ${host}, API 1.41`,
          'Chosen by: `DOCKER_HOST`, which wins over `DOCKER_CONTEXT` (`far`); reached by socket',
          expect.stringMatching(/^build-host: /),
        ]);
        const { engine } = JSON.parse((await doctor({ DOCKER_HOST: host }, '--json')).stdout);
        expect(engine).toMatchObject({
          name: 'build-host',
          address: host,
          chosenBy: '`DOCKER_HOST`',
          connection: 'socket',
        });
      },
      { ...INFO, Name: 'build-host' } as typeof INFO,
    );
  });

  test('is never another one when the named context does not exist', async () => {
    await using workspace = await createWorkspace();
    const { exitCode, stdout, stderr } = await doctor({
      DOCKER_HOST: '',
      DOCKER_CONTEXT: 'far',
      DOCKER_CONFIG: workspace.root,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(`There is no context \`far\` in \`${workspace.root}/contexts\``);
  });

  test('makes doctor warn when it is on TCP without TLS', async () => {
    await withEngine(async ({ DOCKER_HOST: host = '' }) => {
      const server = createTcpServer((socket) => {
        const other = connect(host.slice('unix://'.length));
        socket.on('error', () => other.destroy()).pipe(other);
        other.on('error', () => socket.destroy()).pipe(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const { stdout } = await doctor({ DOCKER_HOST: `tcp://127.0.0.1:${port}` });
      server.close();
      expect(stdout).toContain('whoever reaches that port is root on its host');
    });
  });
});

describe('on an engine that lacks what lurkbox relies on', () => {
  const doctor = (...args: string[]) =>
    withEngine((env) => runCli(['doctor', ...args, '--workspace', tmpdir()], { program: SOURCE, env }));

  test('doctor says what is missing and ends with 1', async () => {
    const { exitCode, stdout } = await doctor();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^✖ seccomp: without it a plugin can start processes/m);
    expect(stdout).toMatch(/\n1 missing: lurkbox runs nothing here\.\n$/);
  });

  test('doctor --attack says so too, and attacks nothing', async () => {
    const { exitCode, stdout, stderr } = await doctor('--attack');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(/\n1 missing: lurkbox runs nothing here\.\nNothing was attacked\.\n$/);
  });

  test('doctor --attack --json has no attack in its document', async () => {
    const { exitCode, stdout } = await doctor('--attack', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, attack: null });
  });
});

test('doctor reports an unregistered runtime of the policy, and then attacks nothing', async () => {
  await using workspace = await createWorkspace();
  const policy = { oci_runtime: 'kata', plugins: { weather: { oci_runtime: 'runc' } } };
  await writeFile(join(workspace.root, 'lurkbox.policy.json'), JSON.stringify(policy));
  const { exitCode, stdout, stderr } = await withEngine(
    (env) => runCli(['doctor', '--attack', '--workspace', workspace.root], { program: SOURCE, env }),
    { ...INFO, SecurityOptions: ['name=seccomp,profile=default'] },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  expect(stdout).toMatch(
    /^✖ OCI runtime kata, for `oci_runtime` of the policy: The runtime `kata` is not registered in the engine, which has: runc\./m,
  );
  expect(stdout).toMatch(/^✔ OCI runtime runc, for `plugins\.weather\.oci_runtime` of the policy$/m);
  expect(stdout).toMatch(/\nOn 1 of 2 OCI runtimes lurkbox runs nothing\.\nNothing was attacked\.\n$/);
});
