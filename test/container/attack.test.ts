import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AttackGroup,
  type ControlAttack,
  HELD,
  judgeAnswer,
  type PluginAttack,
  type Verdict,
} from '../../src/attack/attack.ts';
import { createAttacker } from '../../src/attack/attacker.ts';
import { AFTERMATH } from '../../src/attack/cases/aftermath.ts';
import { ISOLATION } from '../../src/attack/cases/isolation.ts';
import { NETWORK } from '../../src/attack/cases/network.ts';
import { POSTURE } from '../../src/attack/cases/posture.ts';
import { PROGRAMS } from '../../src/attack/cases/programs.ts';
import { TABLES } from '../../src/attack/cases/tables.ts';
import type { AttackReport } from '../../src/attack/reports.ts';
import { runAttacks } from '../../src/attack/run.ts';
import { loadSyscallProbe, type SyscallAnswer, toProbeArgs } from '../../src/attack/syscall-probe.ts';
import { HELD_TIMERS, SYSCALLS } from '../../src/attack/syscalls.ts';
import { connectEngine } from '../../src/engine/docker/connect.ts';
import { Demuxer } from '../../src/engine/docker/demux.ts';
import { createLurkbox, type PluginExecutionResult } from '../../src/index.ts';
import { LABELS } from '../../src/labels.ts';
import { PROMISES } from '../../src/promises.ts';
import { runCli, SOURCE, STEERING, startCli } from '../cli/run-cli.ts';
import { createWorkspace, type Workspace } from '../helpers/workspace.ts';

const docker = new Docker();
let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
});
afterAll(() => workspace[Symbol.asyncDispose]());

/** A container that is not of lurkbox, and never started. */
async function createDecoy(): Promise<AsyncDisposable & { readonly id: string }> {
  const [base] = await (await connectEngine()).listImages(`${LABELS.imageRole}=base`);
  if (base === undefined) throw new Error('there is no base image');
  const container = await docker.createContainer({ Image: base.id, Labels: { 'attack-test': 'decoy' } });
  return {
    id: container.id,
    [Symbol.asyncDispose]: async () => {
      await container.remove({ force: true }).catch((error) => {
        if (error.statusCode !== 404) throw error;
      });
    },
  };
}

/** Images and containers of any attacker of this machine, and files of those in this workspace. */
async function findLeft(): Promise<string[]> {
  const engine = await connectEngine();
  const isAttacker = ({ labels }: { labels: Readonly<Record<string, string>> }): boolean =>
    labels[LABELS.plugin]?.startsWith('attacker-') ?? false;
  const containers = await engine.listContainers(`${LABELS.kind}=container`);
  const images = await engine.listImages(`${LABELS.kind}=image`);
  const files = await readdir(join(workspace.root, '.lurkbox/tmp')).catch(() => []);
  return [
    ...containers.filter(isAttacker).flatMap(({ names }) => names),
    ...images.filter(isAttacker).flatMap(({ tags }) => tags),
    ...files,
  ];
}

function verdicts(attacks: readonly AttackReport[], verdict: AttackReport['verdict']): string[] {
  return attacks.filter((report) => report.verdict === verdict).map(({ id }) => id);
}

describe('doctor --attack', () => {
  test('sees every attack on this engine fail, and leaves nothing (P1, P2, P3, P4, P5, P6, P7, P8, P9)', async () => {
    await using decoy = await createDecoy();
    const { exitCode, stdout, stderr } = await runCli(['doctor', '--attack', '--json'], {
      program: SOURCE,
      cwd: workspace.root,
    });
    const { ok, engine, checks, runtimes, notes, attack, ...rest } = JSON.parse(stdout);
    expect(attack.attacks.filter(({ verdict }: AttackReport) => verdict !== 'held')).toEqual([]);
    expect({ exitCode, ok, rest }).toEqual({ exitCode: 0, ok: true, rest: {} });
    expect([engine.version, checks.length > 5, runtimes.length, Array.isArray(notes)]).toEqual([
      expect.any(String),
      true,
      1,
      true,
    ]);
    const { attacks, ...sum } = attack;
    expect(sum).toEqual({
      runtime: engine.defaultRuntime,
      ok: true,
      held: attacks.length,
      notHeld: 0,
      notTried: 0,
      notHere: 0,
      durationMs: expect.any(Number),
    });
    expect(attacks[0]).toEqual({
      id: 'posture-rights',
      area: 'What it sees of its container',
      title: 'no thread has a capability, or the way to one',
      promises: ['P6'],
      verdict: 'held',
      expected: null,
      got: null,
      durationMs: expect.any(Number),
    });
    const cited = new Set(attacks.flatMap(({ promises }: AttackReport) => promises));
    expect(cited).toEqual(new Set(Object.keys(PROMISES)));
    // What is waited for, and nothing else: an attack that holds leaves no word in the log.
    const said = stderr.trimEnd().split('\n');
    expect(said).toContain('Attacking …');
    expect(said.filter((line) => !line.endsWith(' …'))).toEqual([]);
    expect(stderr).not.toMatch(STEERING);
    expect((await docker.getContainer(decoy.id).inspect()).State.Status).toBe('created');
    expect(await findLeft()).toEqual([]);
  });

  test('attacks nothing and ends with 1 and the reason when the runtime of the policy is missing', async () => {
    const policy = join(workspace.root, 'no-such-runtime.json');
    await writeFile(policy, '{ "oci_runtime": "no-such-runtime" }');
    const { exitCode, stdout } = await runCli(['doctor', '--attack', '--policy', policy], {
      program: SOURCE,
      cwd: workspace.root,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^✖ OCI runtime no-such-runtime, .* is not registered in the engine/m);
    expect(stdout).toMatch(/\nOn 1 of 1 OCI runtimes lurkbox runs nothing\.\nNothing was attacked\.\n$/);
    expect(stdout).not.toMatch(STEERING);
    expect(await findLeft()).toEqual([]);
  });

  test('ends with 2 when the policy leaves too little room for the attack', async () => {
    const policy = join(workspace.root, 'small.json');
    await writeFile(policy, '{ "ceilings": { "memory_mb": 64, "output_kb": 8 } }');
    const { exitCode, stderr } = await runCli(['doctor', '--attack', '--policy', policy], {
      program: SOURCE,
      cwd: workspace.root,
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('`ceilings.memory_mb`: expected at least 96, got 64');
    expect(stderr).toContain('`ceilings.output_kb`: expected at least 128, got 8');
    expect(await findLeft()).toEqual([]);
  });

  test('leaves nothing when it is interrupted (P2)', async () => {
    const run = startCli(['doctor', '--attack'], { program: SOURCE, cwd: workspace.root });
    const engine = await connectEngine();
    while (run.process.exitCode === null) {
      const running = await engine.listContainers(`${LABELS.kind}=container`);
      if (running.some(({ labels }) => labels[LABELS.plugin]?.startsWith('attacker-'))) break;
      await delay(20);
    }
    run.process.kill('SIGINT');
    const { exitCode, stdout, stderr } = await run.end;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/cancelling.*Interrupted by SIGINT/s);
    expect(stdout).not.toContain('attacks held');
    expect(await findLeft()).toEqual([]);
  });
});

describe('an attacker with more permissions', () => {
  test('can do more, and is still refused what it is not granted', async () => {
    await using lurkbox = await createLurkbox({
      maxWarm: 0,
      workspaceRoot: workspace.root,
      policy: { allow: { exec: true, bridge: true } },
    });
    const sum = await runAttacks(lurkbox, [POSTURE, PROGRAMS, NETWORK], {
      manifest: { permissions: { exec: true, network: true } },
    });
    expect(sum).toMatchObject({ ok: false, notTried: 0, notHere: 0 });
    expect(verdicts(sum.attacks, 'not held')).toEqual(
      expect.arrayContaining([
        'posture-programs',
        'posture-network',
        'programs-start',
        'programs-worker',
        'programs-binding',
        'programs-replace',
        'network-hosts',
      ]),
    );
    expect(verdicts(sum.attacks, 'held')).toEqual(
      expect.arrayContaining([
        'posture-rights',
        'posture-user',
        'posture-mounts',
        'programs-user',
        'network-sockets',
      ]),
    );
    const started = sum.attacks.find(({ id }) => id === 'programs-start');
    expect(started?.got).toMatch(/spawn: started.*spawnSync: started/);
    expect(await findLeft()).toEqual([]);
  });
});

test('the attack on kernel tables finds them full for the same user, and empty for another plugin (P7, P10)', async () => {
  const isSmall = Number(await readFile('/proc/sys/fs/inotify/max_user_instances', 'utf8')) < 200;
  const [attack] = TABLES.attacks;
  const seen: object[] = [];
  const judge = ({ own, other }: { own: PluginExecutionResult; other: PluginExecutionResult }): Verdict => {
    seen.push({ own: own.result, other: other.result });
    return HELD;
  };
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
  await runAttacks(lurkbox, [{ ...TABLES, attacks: [{ ...(attack as ControlAttack), judge }] }]);
  expect(seen).toEqual([
    {
      own: { watch: isSmall ? 'EMFILE' : 'works', signals: HELD_TIMERS },
      other: { watch: 'works', signals: 0 },
    },
  ]);
  expect(await findLeft()).toEqual([]);
});

describe('the attack report', () => {
  const attack = (id: string, rest: Partial<PluginAttack>): PluginAttack => ({
    id,
    title: `it holds off ${id}`,
    promises: ['P6'],
    attempt: { program: () => 'done' },
    judge: judgeAnswer(() => HELD),
    ...rest,
  });

  test('says so when an attack succeeds, and the attacker is unloaded', async () => {
    await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
    const group: AttackGroup = {
      area: 'Injected',
      attacks: [
        attack('held', {}),
        attack('wrong-answer', {
          judge: judgeAnswer((answer) => ({ held: false, expected: 'another', got: String(answer) })),
        }),
        attack('throws', {
          attempt: {
            program: () => {
              throw new Error('it went wrong');
            },
          },
        }),
        attack('strange', {
          judge: () => {
            throw new TypeError('strange');
          },
        }),
        attack('unsendable', { attempt: { program: () => null, args: 10n } }),
      ],
    };
    const told: number[] = [];
    const sum = await runAttacks(lurkbox, [group], { onReport: (_, { done }) => told.push(done) });
    expect(sum).toMatchObject({ ok: false, held: 1, notHeld: 3, notTried: 1 });
    expect(sum.attacks.map(({ id, verdict, got }) => `${id} ${verdict}: ${got}`)).toEqual([
      'held held: null',
      'wrong-answer not held: done',
      'throws not held: PLUGIN_ERROR: Error: it went wrong',
      'strange not held: TypeError: strange',
      expect.stringMatching(/^unsendable not tried: The context is not one/),
    ]);
    expect(told).toEqual([1, 2, 3, 4, 5]);
    expect(lurkbox.plugins.list()).toEqual([]);
    expect(await findLeft()).toEqual([]);
  });

  test('shows a call of this process that touches a foreign container (P8)', async () => {
    await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
    await using decoy = await createDecoy();
    const sum = await runAttacks(lurkbox, [ISOLATION, AFTERMATH], {
      // As a fault in cleaning would.
      onReport: async ({ id }) => {
        if (id === 'isolation-next')
          await docker.getContainer(decoy.id).rename({ name: 'attack-test-renamed' });
      },
    });
    expect(verdicts(sum.attacks, 'not held')).toEqual(['after-others']);
    expect(sum.attacks.find(({ id }) => id === 'after-others')?.got).toBe(`POST rename ${decoy.id}`);
  });
});

test('the probe sees system calls get through when the filter is missing', async () => {
  await using lurkbox = await createLurkbox({ maxWarm: 0, workspaceRoot: workspace.root });
  const engine = await connectEngine();
  await using attacker = await createAttacker(lurkbox, engine, {});
  const args = JSON.stringify(toProbeArgs('/plugin/calls.node'));
  const container = await docker.createContainer({
    Image: attacker.image,
    User: '65532:65532',
    Entrypoint: ['/usr/local/bin/node', '-e', `console.log(JSON.stringify((${loadSyscallProbe})(${args})))`],
    HostConfig: {
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
      Tmpfs: { '/tmp': 'rw,mode=1777' },
      LogConfig: { Type: 'json-file', Config: {} },
    },
  });
  let answers: SyscallAnswer[];
  try {
    await container.start();
    await container.wait();
    const log = await container.logs({ stdout: true, stderr: true });
    const said = [...new Demuxer().push(log)].map(({ bytes }) => bytes);
    answers = JSON.parse(Buffer.concat(said).toString('utf8'));
  } finally {
    await container.remove({ force: true });
  }
  const through = SYSCALLS.filter(({ refusals }, index) => !refusals.includes(answers[index]?.returned ?? 0));
  const names = through.map(({ name }) => name);
  // The rest is refused by a missing capability, or by a kernel that is built without it.
  expect(through.length).toBeGreaterThan(SYSCALLS.length * 0.8);
  expect(names).toEqual(
    expect.arrayContaining([
      'fork',
      'mount',
      'ptrace(PEEKDATA)',
      'bpf',
      'socket(ALG)',
      'setresuid',
      'splice',
    ]),
  );
});
