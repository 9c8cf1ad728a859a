import { describe, expect, test } from 'vitest';
import { type RuntimeInfo, toRuntimeFacts } from '../../src/engine/docker/info.ts';
import type { RuntimeFacts } from '../../src/engine/engine.ts';
import { assertRuntime } from '../../src/engine/runtimes.ts';
import type { LurkboxError } from '../../src/errors.ts';
import type { Grant } from '../../src/policy/grant.ts';
import { allowanceOf } from '../spec/sample.ts';
import { FACTS } from './sample.ts';

const ACCEPTED = { acceptUnenforced: ['tmp_files', 'tmp_noexec', 'cpu_seconds'] } as const;
/** With which gVisor enforces everything but that. */
const GVISOR = ['--oci-seccomp'];

describe('the description of a runtime by an engine is read from', () => {
  test.each<[string, RuntimeInfo, RuntimeFacts]>([
    ['a name', { path: 'runc' }, { program: 'runc', args: [] }],
    ['a path', { path: '/usr/local/bin/crun', runtimeArgs: null }, { program: 'crun', args: [] }],
    ['arguments', { path: '/usr/bin/runsc', runtimeArgs: GVISOR }, { program: 'runsc', args: GVISOR }],
    ['the shim of runc', { runtimeType: 'io.containerd.runc.v2' }, { program: 'runc', args: [] }],
    [
      'the shim of runc by its path',
      { runtimeType: '/usr/bin/containerd-shim-runc-v2' },
      { program: 'runc', args: [] },
    ],
    [
      'the shim of runc with another program',
      {
        runtimeType: 'io.containerd.runc.v2',
        options: { BinaryName: '/usr/bin/crun', SystemdCgroup: true },
      },
      { program: 'crun', args: [] },
    ],
    [
      'the shim of runc with an option that may take away something',
      { runtimeType: 'io.containerd.runc.v2', options: { NoPivotRoot: true } },
      { program: 'runc', args: null },
    ],
    [
      'the shim of runc with a program that is no name',
      { runtimeType: 'io.containerd.runc.v2', options: { BinaryName: ['runc'] } },
      { program: 'runc', args: null },
    ],
    [
      'a shim of its own, whose options are in a file',
      { runtimeType: 'io.containerd.runsc.v1', options: { ConfigPath: '/etc/containerd/runsc.toml' } },
      { program: 'io.containerd.runsc.v1', args: null },
    ],
    [
      'a shim by its path',
      { runtimeType: '/opt/kata/bin/containerd-shim-kata-v2' },
      { program: 'containerd-shim-kata-v2', args: null },
    ],
    [
      'a path and a shim, of which one is not used',
      { path: 'runc', runtimeType: 'io.containerd.runc.v2' },
      { program: 'io.containerd.runc.v2', args: null },
    ],
    ['nothing', {}, { program: '', args: null }],
  ])('%s', (_what, info, expected) => {
    expect(toRuntimeFacts(info)).toEqual(expected);
  });
});

describe('lurkbox accepts the runtime', () => {
  test.each<[string, string, readonly string[], Partial<Grant>]>([
    ['runc', 'runc', [], {}],
    ['the runc of Docker 1.11 to 18.06', 'docker-runc', [], {}],
    [
      'runc with arguments that change no control',
      'runc',
      ['--debug', '--root=/run/x', '--rootless=auto'],
      {},
    ],
    ['crun', 'crun', [], {}],
    ['crun with a manager of cgroups', 'crun', ['--cgroup-manager=systemd', '--systemd-cgroup'], {}],
    ['gVisor that was told to keep the profile', 'runsc', GVISOR, ACCEPTED],
    ['gVisor in the other spelling', 'runsc', ['-oci-seccomp=T'], ACCEPTED],
    [
      'gVisor with arguments that change no control',
      'runsc',
      [
        ...GVISOR,
        '--platform=kvm',
        '--ignore-cgroups=false',
        '--debug=0',
        '--host-uds=none',
        '--network=none',
      ],
      ACCEPTED,
    ],
    ['gVisor for a bridge', 'runsc', [...GVISOR, '--network=sandbox'], { ...ACCEPTED, network: 'bridge' }],
    ['gVisor for the host', 'runsc', [...GVISOR, '--network=host'], { ...ACCEPTED, network: 'host' }],
  ])('%s', (_what, program, args, grant) => {
    expect(refusalOf({ program, args }, grant)).toBeNull();
  });

  test('under any name, by its program', () => {
    expect(refusalOf({ program: 'runc', args: [] }, {}, 'plain')).toBeNull();
    expect(refusalOf({ program: 'runsc', args: GVISOR }, ACCEPTED, 'strong')).toBeNull();
  });

  test('that is the default of the engine, when the policy names none', () => {
    const facts = { ...FACTS, defaultRuntime: 'x', runtimes: { x: { program: 'crun', args: [] } } };
    expect(() => assertRuntime(facts, allowanceOf({ runtime: null }))).not.toThrow();
  });
});

describe('lurkbox refuses, and says what to do, (P6)', () => {
  test.each<[string, RuntimeFacts, RegExp]>([
    [
      'Kata, which may ignore the profile',
      shim('io.containerd.kata.v2'),
      /`io\.containerd\.kata\.v2`: .*seccomp/,
    ],
    ['Kata by its program', plain('kata-runtime'), /seccomp.*Name `runc`, `crun` or `runsc`/],
    ['Kata with another hypervisor', shim('io.containerd.kata-qemu.v2'), /seccomp/],
    ['the runtime of NVIDIA', plain('nvidia-container-runtime'), /devices.*Name `runc`/],
    ['the runtime of NVIDIA in another mode', plain('nvidia-container-runtime.cdi'), /devices/],
    ['Sysbox', plain('sysbox-runc'), /whole system/],
    [
      'one that nobody knows',
      plain('youki'),
      /`youki`: lurkbox does not know what it enforces\. Name `runc`/,
    ],
    ['a script around a known one', plain('runsc.sh'), /does not know/],
    ['one whose name only begins like it', plain('runc-debug'), /does not know/],
    ['one of which the engine says nothing', shim(''), /does not know/],
    [
      'gVisor whose arguments are in a file',
      shim('io.containerd.runsc.v1'),
      /does not show all.*`runtimeArgs`/,
    ],
    ['runc with an option of its shim', { program: 'runc', args: null }, /does not show all/],
  ])('%s', (_what, runtime, message) => {
    const refusal = refusalOf(runtime, ACCEPTED);
    expect(refusal?.code).toBe('ENGINE_INSECURE');
    expect(refusal?.message).toMatch(message);
  });

  test('runc that is registered as if it were gVisor, which the rating would believe', () => {
    const refusal = refusalOf(plain('runc'), {}, 'runsc-kvm');
    expect(refusal).toMatchObject({
      code: 'ENGINE_INSECURE',
      message: expect.stringMatching(/`runsc-kvm` is `runc`.*another name/),
    });
  });

  test.each<[string, string, readonly string[], RegExp]>([
    [
      'runc that goes on without cgroups',
      'runc',
      ['--rootless=true'],
      /`--rootless=true`: .*memory, CPU and processes/,
    ],
    ['crun without cgroups', 'crun', ['--cgroup-manager=disabled'], /memory, CPU and processes/],
    ['crun told so by a number', 'crun', ['--rootless=1'], /memory, CPU and processes/],
    [
      'an argument that nobody knows',
      'runc',
      ['--no-pivot'],
      /`--no-pivot`: lurkbox does not know.*Take it out/,
    ],
    ['an abbreviation', 'crun', ['--cgroup-m=disabled'], /does not know/],
    [
      'a value in an argument of its own',
      'crun',
      ['--cgroup-manager', 'disabled'],
      /Write `--cgroup-manager=<value>`/,
    ],
    ['an argument twice', 'runc', ['--rootless=auto', '--rootless=auto'], /twice/],
    ['two arguments in one', 'runc', ['--debug --rootless=true'], /`--name=value`/],
    ['a command in an argument', 'runc', ['--root=$(true)'], /`--name=value`/],
    ['the end of all arguments', 'runsc', [...GVISOR, '--'], /`--name=value`/],
    ['a switch that is neither on nor off', 'runsc', ['--oci-seccomp=maybe'], /`true` or `false`/],
    ['gVisor without the profile', 'runsc', [], /`--oci-seccomp` is missing: .*`exec: false`.*Add it/],
    ['gVisor told to ignore it', 'runsc', ['--oci-seccomp=false'], /`--oci-seccomp` is missing/],
    ['gVisor told both', 'runsc', ['--oci-seccomp', '--oci-seccomp=false'], /twice/],
    ['gVisor with the word as a value', 'runsc', ['--log', '--oci-seccomp'], /Write `--log=<value>`/],
    ['gVisor without cgroups', 'runsc', [...GVISOR, '--ignore-cgroups'], /`--ignore-cgroups`: .*memory, CPU/],
    ['gVisor without root', 'runsc', [...GVISOR, '--rootless'], /memory, CPU and processes/],
    ['gVisor for tests', 'runsc', [...GVISOR, '--TESTONLY-unsafe-nonroot'], /tests of gVisor/],
    ['gVisor that opens sockets of the host', 'runsc', [...GVISOR, '--host-uds=all'], /programs of the host/],
    [
      'gVisor that opens them in the old way',
      'runsc',
      [...GVISOR, '--fsgofer-host-uds'],
      /programs of the host/,
    ],
    ['gVisor that opens pipes of the host', 'runsc', [...GVISOR, '--host-fifo=open'], /programs of the host/],
    ['gVisor that opens devices', 'runsc', [...GVISOR, '--character-device-policy=passthrough'], /devices/],
    ['gVisor with raw sockets', 'runsc', [...GVISOR, '--net-raw'], /raw sockets/],
    [
      'gVisor that lets containers choose',
      'runsc',
      [...GVISOR, '--allow-flag-override'],
      /single containers/,
    ],
    [
      'gVisor that keeps writes to itself',
      'runsc',
      [...GVISOR, '--overlay2=all:memory'],
      /writes to its mounts/,
    ],
    ['gVisor that does so in the old way', 'runsc', [...GVISOR, '--overlay'], /writes to its mounts/],
    ['gVisor that writes a log', 'runsc', [...GVISOR, '--debug', '--debug-log=/tmp/'], /disk of the host/],
    ['gVisor that writes every call', 'runsc', [...GVISOR, '--strace'], /disk of the host/],
    ['gVisor with a profiler', 'runsc', [...GVISOR, '--profile'], /seccomp filter of the sandbox/],
    ['gVisor with devices of NVIDIA', 'runsc', [...GVISOR, '--nvproxy'], /does not know/],
    [
      'gVisor on a platform that nobody knows',
      'runsc',
      [...GVISOR, '--platform=x'],
      /ptrace, kvm and systrap/,
    ],
    [
      'gVisor on the network of the host',
      'runsc',
      [...GVISOR, '--network=host'],
      /"none" takes.*`--network=host`/,
    ],
    ['gVisor with a network of a plugin', 'runsc', [...GVISOR, '--network=plugin'], /none, sandbox and host/],
  ])('%s', (_what, program, args, problem) => {
    const refusal = refusalOf({ program, args }, ACCEPTED);
    expect(refusal?.code).toBe('ENGINE_INSECURE');
    const told = refusal?.problems.map(({ path, message }) => `${path}: ${message}`).join('\n');
    expect(told).toMatch(problem);
    expect(told).toMatch(/^runtimes\.chosen\.runtimeArgs: /);
  });

  test.each<[Grant['network'], readonly string[]]>([
    ['bridge', ['--network=none']],
    ['bridge', ['--network=host']],
    ['host', []],
    ['host', ['--network=none']],
  ])('gVisor for the network %s with %j', (network, args) => {
    const refusal = refusalOf({ program: 'runsc', args: [...GVISOR, ...args] }, { ...ACCEPTED, network });
    expect(refusal?.problems).toHaveLength(1);
    expect(refusal?.problems[0]?.message).toMatch(new RegExp(`"${network}" takes \`--network=`));
  });

  test('gVisor, for each control that it may leave out and the policy does not accept', () => {
    const refusal = refusalOf({ program: 'runsc', args: GVISOR }, { acceptUnenforced: ['tmp_noexec'] });
    expect(refusal?.problems).toEqual([
      { path: 'accept_unenforced', message: expect.stringMatching(/nr_inodes.*List "tmp_files" in/) },
      { path: 'accept_unenforced', message: expect.stringMatching(/RLIMIT_CPU.*List "cpu_seconds" in/) },
    ]);
  });

  test('a runtime with several faults, which are all named', () => {
    const refusal = refusalOf({ program: 'runsc', args: ['--network=host', '--rootless'] }, {});
    expect(refusal?.problems).toHaveLength(6);
  });
});

describe('lurkbox reports a missing runtime:', () => {
  test.each(['runsc', 'constructor', 'toString'])('%s, with the names of those that are there', (runtime) => {
    const facts = { ...FACTS, runtimes: { runc: plain('runc'), other: plain('crun') } };
    expect(() => assertRuntime(facts, allowanceOf({ runtime }))).toThrow(
      expect.objectContaining({
        code: 'RUNTIME_UNAVAILABLE',
        message: expect.stringMatching(new RegExp(`\`${runtime}\` is not registered.*has: runc, other\\.`)),
      }),
    );
  });

  test('the default of the engine', () => {
    expect(() => assertRuntime({ ...FACTS, runtimes: {} }, allowanceOf())).toThrow(
      expect.objectContaining({ code: 'RUNTIME_UNAVAILABLE' }),
    );
  });
});

function plain(program: string): RuntimeFacts {
  return { program, args: [] };
}

function shim(program: string): RuntimeFacts {
  return { program, args: null };
}

/** `null` when containers of the grant may be started with the runtime, which is registered by the name. */
function refusalOf(runtime: RuntimeFacts, grant: Partial<Grant>, name = 'chosen'): LurkboxError | null {
  const facts = { ...FACTS, runtimes: { runc: plain('runc'), [name]: runtime } };
  try {
    assertRuntime(facts, allowanceOf({ ...grant, runtime: name }));
    return null;
  } catch (error) {
    return error as LurkboxError;
  }
}
