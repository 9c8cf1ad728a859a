import type { Allowance } from '../spec/allowance.ts';
import { type ArgumentRules, harmless, off, oneOf } from './runtime-arguments.ts';

/** Runtimes that start containers in the same way, whoever registered them under whatever name. */
export interface RuntimeFamily {
  readonly name: string;
  /** What the program that the engine starts is called, or the type of its shim. */
  readonly program: RegExp;
  /** Why nothing is started with it; `null` for those that are known to enforce what they are told. */
  readonly refused: string | null;
  readonly args: ArgumentRules;
  /** Arguments that it does not enforce everything without. */
  readonly required: readonly { readonly name: string; readonly without: string }[];
  /** Values of `--network` with which it gives what was granted and no more; `null`: it has no such choice. */
  readonly networks: Readonly<Record<Allowance['network'], readonly string[]>> | null;
  /** Controls that it may not enforce, whatever its arguments. */
  readonly leavesOut: readonly LeftOut[];
  /** Whether a file has the same device and inode in its containers as on the host. */
  readonly keepsInodes: boolean;
}

export interface LeftOut {
  readonly control: Allowance['acceptUnenforced'][number];
  readonly why: string;
}

const NO_LIMITS = 'the limits of memory, CPU and processes would not hold.';
const LOGS = 'what a plugin does would be written to the disk of the host, without a limit.';
const HOST_FILES = 'a plugin could talk to programs of the host through the folders that it is given.';
const TEST_ONLY =
  'it is for tests of gVisor alone, and takes away what stands between the plugin and the host.';

/**
 * What is known of runtimes, from `runc --help` 1.1.5, `crun --help` 1.8.1, `runsc flags` 20221219, gVisor's
 * `runsc/config/flags.go` of 2026 and Kata's `configuration.toml`, and by trying. The first that fits counts.
 */
const RUNTIME_FAMILIES: readonly RuntimeFamily[] = [
  {
    name: 'runc',
    program: /^(docker-)?runc$/,
    refused: null,
    args: {
      ...harmless('switch', 'debug', 'systemd-cgroup'),
      ...harmless('value', 'log', 'log-format', 'root', 'criu'),
      // "ignore cgroup permission errors", says its help.
      rootless: oneOf(['false', 'auto'], `it makes runc go on without cgroups: ${NO_LIMITS}`),
    },
    required: [],
    networks: null,
    leavesOut: [],
    keepsInodes: true,
  },
  {
    name: 'crun',
    program: /^crun$/,
    refused: null,
    args: {
      ...harmless('switch', 'debug', 'systemd-cgroup'),
      ...harmless('value', 'log', 'log-format', 'log-level', 'root'),
      rootless: oneOf(['false'], `it makes crun go on without cgroups: ${NO_LIMITS}`),
      'cgroup-manager': oneOf(['cgroupfs', 'systemd'], `without a cgroup manager ${NO_LIMITS}`),
    },
    required: [],
    networks: null,
    leavesOut: [],
    keepsInodes: true,
  },
  {
    name: 'gVisor',
    program: /^(runsc|containerd-shim-runsc-v1|io\.containerd\.runsc\.v1)$/,
    refused: null,
    args: {
      ...harmless('switch', 'oci-seccomp', 'systemd-cgroup', 'cpu-num-from-quota', 'buffer-pooling'),
      ...harmless('switch', 'gso', 'software-gso', 'rx-checksum-offload', 'tx-checksum-offload'),
      ...harmless('switch', 'vfs2', 'lisafs', 'directfs', 'app-huge-pages', 'enable-core-tags'),
      ...harmless('value', 'root', 'log', 'log-format', 'platform_device_path', 'watchdog-action'),
      ...harmless('value', 'file-access', 'file-access-mounts', 'dcache', 'fdlimit', 'qdisc'),
      ...harmless('value', 'num-network-channels', 'ref-leak-mode', 'traceback', 'panic-signal'),
      platform: oneOf(['ptrace', 'kvm', 'systrap'], 'lurkbox knows ptrace, kvm and systrap.'),
      // Which of them fits is a matter of the grant.
      network: oneOf(['none', 'sandbox', 'host'], 'lurkbox knows none, sandbox and host.'),
      'ignore-cgroups': off(NO_LIMITS),
      rootless: off(`the sandbox would have the rights of whoever started it, and ${NO_LIMITS}`),
      'host-uds': oneOf(['none'], HOST_FILES),
      'fsgofer-host-uds': off(HOST_FILES),
      'host-fifo': oneOf(['none'], HOST_FILES),
      'character-device-policy': oneOf(['emulated-only'], 'a plugin could open devices of the host.'),
      'net-raw': off('raw sockets would be open.'),
      'allow-packet-socket-write': off('raw sockets would be open.'),
      'allow-suid': off('a setuid file could give back what was dropped.'),
      'allow-flag-override': off('any of these arguments could be changed for single containers.'),
      overlay: off('what a plugin writes to its mounts would be lost.'),
      overlay2: oneOf(
        ['none', 'root:memory', 'root:self'],
        'what a plugin writes to its mounts would go to other places than they are.',
      ),
      profile: off('it loosens the seccomp filter of the sandbox itself.'),
      debug: off(LOGS),
      'debug-log': oneOf([], LOGS),
      'panic-log': oneOf([], LOGS),
      'pcap-log': oneOf([], LOGS),
      strace: off(LOGS),
      'strace-event': off(LOGS),
      'log-packets': off(LOGS),
      'TESTONLY-unsafe-nonroot': off(TEST_ONLY),
      'TESTONLY-allow-packet-endpoint-write': off(TEST_ONLY),
    },
    required: [
      // Its default is false, to this day.
      { name: 'oci-seccomp', without: 'gVisor ignores the seccomp profile, on which `exec: false` stands.' },
    ],
    // With a stack of its own it would not start in the namespace of the host: it takes the interfaces for itself.
    networks: { none: ['sandbox', 'none'], bridge: ['sandbox'], host: ['host'] },
    // Tried with 20221219. The source of 2026 enforces all three, but no engine tells the version of a runtime.
    leavesOut: [
      { control: 'tmp_files', why: 'versions of gVisor ignore `nr_inodes` of a tmpfs.' },
      { control: 'tmp_noexec', why: 'versions of gVisor map code from a tmpfs in spite of `noexec`.' },
      { control: 'cpu_seconds', why: 'versions of gVisor do not start the clock of `RLIMIT_CPU`.' },
    ],
    // It numbers files itself.
    keepsInodes: false,
  },
  refusedFamily(
    'Kata',
    /^(kata(-[a-z0-9-]+)?|containerd-shim-kata-v2|io\.containerd\.kata(-[a-z0-9-]+)?\.v2)$/,
    'its default is to ignore the seccomp profile, and whether this one does stands in a file that the engine does not show.',
  ),
  refusedFamily(
    'NVIDIA',
    /^nvidia-container-runtime(\.[a-z]+)?$/,
    'it changes what a container is given before another runtime starts it: devices, mounts, hooks.',
  ),
  refusedFamily(
    'Sysbox',
    /^sysbox-runc$/,
    'it opens a container so that a whole system runs in it: mounts, system calls, `/proc`.',
  ),
];

const UNKNOWN_FAMILY: RuntimeFamily = refusedFamily(
  'unknown',
  /^/,
  'lurkbox does not know what it enforces.',
);

export function familyOf(program: string): RuntimeFamily {
  return RUNTIME_FAMILIES.find((family) => family.program.test(program)) ?? UNKNOWN_FAMILY;
}

function refusedFamily(name: string, program: RegExp, refused: string): RuntimeFamily {
  return { name, program, refused, args: {}, required: [], networks: null, leavesOut: [], keepsInodes: true };
}
