import { DEFAULT_UID_RANGE } from './uids.ts';

export { SHARED_UID } from './uids.ts';

/**
 * What every container gets before the policy and the manifest have a say, as a table: each value with its reason.
 * `explain` prints these reasons, `spec/build.ts` reads these values; neither writes one of its own.
 */
export const BASELINE = {
  user: {
    value: DEFAULT_UID_RANGE,
    reason:
      'Not root: a hole in the kernel or the runtime starts from an account that owns nothing. One for each plugin: what the kernel counts by user is shared with no other one.',
  },
  workingDir: {
    value: '/',
    reason:
      'Fixed here and never taken from an image: a crafted one can point into a leaked descriptor (CVE-2024-21626).',
  },
  readOnlyRoot: {
    value: true,
    reason: 'Nothing can be planted in the image, not even for the rest of the same execution.',
  },
  capDrop: {
    value: ['ALL'],
    reason: 'Node needs no capability, so the container has none.',
  },
  noNewPrivileges: {
    value: true,
    reason: 'A setuid file cannot give back what was dropped.',
  },
  network: {
    value: 'none',
    reason:
      'A network namespace that holds only a loopback device: no packet leaves, no DNS, no metadata service.',
  },
  exec: {
    value: false,
    reason: 'The seccomp profile lets threads start but no process, and the image holds no other program.',
  },
  socketBuffers: {
    value: {
      none: {
        'net.core.somaxconn': '16',
        'net.ipv4.tcp_orphan_retries': '1',
        'net.ipv4.tcp_rmem': '4096 16384 16384',
        'net.ipv4.tcp_wmem': '4096 16384 16384',
      },
      // Wide enough for 2 MB/s over a way of 50 ms; a plugin has nobody there to listen for.
      bridge: {
        'net.core.somaxconn': '4',
        'net.ipv4.tcp_orphan_retries': '1',
        'net.ipv4.tcp_rmem': '4096 131072 131072',
        'net.ipv4.tcp_wmem': '4096 16384 131072',
      },
      // There is no network namespace of the container that they could be set in.
      host: {},
    },
    reason:
      'Memory of the kernel that not every limit counts (on no version of cgroups that of TCP connections which nobody accepted): so their buffers and queues are small, and no program may size its own.',
  },
  ipc: {
    value: 'none',
    reason: 'No shared memory mount and no System V IPC: nothing to meet another container in.',
  },
  cgroupns: {
    value: 'private',
    reason: 'The container does not see where it stands in the cgroup tree of the host.',
  },
  env: {
    value: {
      PATH: '/nonexistent',
      HOME: '/tmp',
      TMPDIR: '/tmp',
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      // An image's own environment is merged in; naming these here takes them out of its hands.
      NODE_OPTIONS: '',
      NODE_EXTRA_CA_CERTS: '',
      LD_PRELOAD: '',
      LD_LIBRARY_PATH: '',
    },
    reason: 'Nothing of the orchestrator is inherited; what could load code into Node is blank.',
  },
  tmp: {
    value: { path: '/tmp', bytes: 64 * 1024 * 1024, inodes: 4096 },
    reason:
      'A private tmpfs, noexec, with a size and an inode limit; it counts as memory and is gone with the container.',
  },
  scratch: {
    value: { path: '/scratch', bytes: 128 * 1024 * 1024, inodes: 16384 },
    reason: 'Only for `filesystem: true`: a larger private tmpfs, noexec, gone with the container.',
  },
  mounts: {
    value: [],
    reason: 'No folder of the host is in the container.',
  },
  devices: {
    value: [],
    reason: 'Only the harmless ones that every container has, such as `/dev/null` and `/dev/urandom`.',
  },
  pids: {
    value: 64,
    reason: 'Processes and threads together; Node needs about 11, a fork bomb stops here.',
  },
  memoryBytes: {
    value: 512 * 1024 * 1024,
    reason: 'Memory and swap together, so nothing is swapped; above it the kernel ends the container.',
  },
  cpuCores: {
    value: 0.8,
    reason: 'CFS quota: the share of one core that a busy loop can take.',
  },
  timeoutMs: {
    value: 30_000,
    reason: 'Counted from the moment the plugin has its context; then SIGKILL.',
  },
  outputBytes: {
    value: 1024 * 1024,
    reason:
      'The result as JSON: the orchestrator holds no more than this and 16 KiB of records, and 256 KiB of log lines.',
  },
  nofile: {
    value: 256,
    reason: 'Open descriptors per process, so the table of the host cannot be filled.',
  },
  core: {
    value: 0,
    reason: 'No core dump: it would land on the host.',
  },
  memlock: {
    value: 64 * 1024,
    reason: 'Locked memory in bytes; V8 needs next to none.',
  },
  messageQueues: {
    value: 0,
    reason:
      'Bytes of POSIX message queues: the kernel counts them per user id, over all containers of a plugin.',
  },
  oomScoreAdj: {
    value: 500,
    reason:
      'When the host itself runs out of memory, plugins go first, unless one lowers its own score to 0.',
  },
  logDriver: {
    value: 'none',
    reason: 'The engine keeps no copy of the output, so a flood cannot fill its disk.',
  },
  restart: {
    value: 'no',
    reason: 'One start per execution.',
  },
  healthcheck: {
    value: 'none',
    reason: 'A health check would run a program inside the container.',
  },
  init: {
    value: false,
    reason:
      'An init program must fork, which the seccomp profile forbids; Node is process 1 and is ended by SIGKILL.',
  },
  seccomp: {
    value: 'deny by default',
    reason: 'A list of the system calls that Node needs; 32-bit calls and the dangerous rest answer EPERM.',
  },
  runtime: {
    value: null,
    reason: 'The OCI runtime that the engine starts containers with; a policy may name a stronger one.',
  },
  timeZone: {
    value: 'UTC',
    reason: 'The same on every host; a policy, or a call, may name another one.',
  },
  locale: {
    value: 'en-US',
    reason: 'How dates and numbers are written where code names no language; a policy may name another one.',
  },
  isolation: {
    value: { mode: 'execution', maxCalls: 1, maxAgeMs: 0 },
    reason: 'A fresh container for every call: nothing of one is there for the next.',
  },
  channels: {
    value: null,
    reason: 'Where the plugin may be called from; only a manifest narrows it.',
  },
} as const;

/** Above all of it stands what Node cannot do without. Smaller requests are refused as unworkable. */
export const FLOORS = {
  memoryBytes: { value: 64 * 1024 * 1024, reason: 'Node itself takes about 45 MB.' },
  cpuCores: { value: 0.05, reason: 'Below it Node needs longer to start than any deadline allows.' },
  timeoutMs: { value: 100, reason: 'Shorter than the noise of a busy host.' },
  pids: { value: 16, reason: 'Node alone starts about 11 threads.' },
  outputBytes: { value: 4 * 1024, reason: 'A result and an error message have to fit.' },
  tmpBytes: { value: 1024 * 1024, reason: 'The smallest useful tmpfs.' },
} as const;

/** Ceilings where the policy file names none. A request above one is refused with both numbers. */
export const DEFAULT_CEILINGS = {
  memoryBytes: 1024 * 1024 * 1024,
  cpuCores: 1,
  timeoutMs: 120_000,
  pids: 128,
  outputBytes: 16 * 1024 * 1024,
  tmpBytes: 256 * 1024 * 1024,
  scratchBytes: 512 * 1024 * 1024,
} as const;
