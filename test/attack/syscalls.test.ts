import { describe, expect, test } from 'vitest';
import { INT80_CALLS, SYSCALLS, type Syscall, THREAD_CALLS, X32_CALLS } from '../../src/attack/syscalls.ts';
import { buildSeccompProfile } from '../../src/policy/seccomp.ts';

const nameOf = ({ name }: Syscall): string => name.split('(')[0] ?? name;
const tried = new Set(SYSCALLS.map(nameOf));

test.each([
  ['the calls', SYSCALLS],
  ['the thread bomb', THREAD_CALLS],
  ['the doors', [...INT80_CALLS, ...X32_CALLS]],
])('%s have unique names, at most six arguments, and an answer that is a refusal', (_, calls) => {
  expect(new Set(calls.map(({ name }) => name)).size).toBe(calls.length);
  for (const { args, refusals, number } of calls) {
    expect(args.length).toBeLessThanOrEqual(6);
    expect(refusals.length).toBeGreaterThan(0);
    expect(Number.isInteger(number) && number >= 0).toBe(true);
  }
});

test('a successful call does not count as refused, except for queries', () => {
  const questions = ['prctl', 'getuid', 'geteuid', 'getgid', 'getegid'];
  const lenient = SYSCALLS.filter(({ refusals }) => refusals.some((returned) => returned >= 0));
  expect(new Set(lenient.map(nameOf))).toEqual(new Set(questions));
});

test('a call whose arguments the kernel read does not count as refused', () => {
  const LOOKED_AT = { EFAULT: 14, ESRCH: 3, E2BIG: 7, EAFNOSUPPORT: 97, EACCES: 13 };
  for (const { refusals } of SYSCALLS) {
    for (const errno of Object.values(LOOKED_AT)) expect(refusals).not.toContain(-errno);
  }
});

describe('the tried calls include those', () => {
  // biome-ignore format: a list of names.
  test.each([
    ['that change mounts', ['mount', 'umount2', 'pivot_root', 'chroot', 'fsopen', 'fsconfig', 'fsmount', 'open_tree', 'move_mount', 'mount_setattr']],
    ['that reach files past their names', ['open_by_handle_at', 'name_to_handle_at', 'mknod', 'mknodat', 'fanotify_init', 'quotactl', 'swapon', 'swapoff', 'acct']],
    ['that make namespaces and processes', ['unshare', 'setns', 'clone', 'clone3', 'fork', 'vfork', 'execveat', 'memfd_create', 'memfd_secret']],
    ['that reach other processes', ['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'pidfd_getfd', 'pidfd_send_signal', 'kcmp', 'sched_setaffinity']],
    ['that reach much of the kernel', ['bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register', 'io_setup', 'splice', 'tee', 'vmsplice', 'seccomp', 'landlock_create_ruleset']],
    ['that reach keys and modules', ['keyctl', 'add_key', 'request_key', 'init_module', 'finit_module', 'delete_module', 'kexec_load', 'kexec_file_load', 'reboot']],
    ['that change the clock and the names', ['settimeofday', 'clock_settime', 'adjtimex', 'clock_adjtime', 'sethostname', 'setdomainname', 'syslog']],
    ['of old ABIs', ['personality', 'modify_ldt', 'iopl', 'ioperm', 'lookup_dcookie', 'uselib']],
    ['that share memory and queues', ['shmget', 'shmat', 'semget', 'semop', 'msgget', 'msgsnd', 'mq_open']],
    ['that change who one is', ['setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setfsuid', 'setfsgid', 'setgroups', 'capset', 'chown', 'fchownat']],
    ['of sockets and terminals', ['socket', 'socketpair', 'ioctl']],
  ])('%s', (_, names) => {
    expect(names.filter((name) => !tried.has(name))).toEqual([]);
  });

  test.each([15, 17, 30, 31, 38, 40, 44])(
    'that make a socket of family %i, also with a bit that the kernel drops',
    (family) => {
      const families = SYSCALLS.filter((call) => nameOf(call) === 'socket').map(({ args }) => args[0]);
      expect(families).toContain(family);
      expect(families).toContain((1n << 32n) | BigInt(family));
    },
  );
});

describe.each([false, true])('against the filter for exec %s', (exec) => {
  const allowed = new Set(
    buildSeccompProfile({ exec })
      .syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
      .flatMap(({ names }) => names),
  );

  test('no call is tried that it allows whatever the arguments, unless the kernel itself is to refuse it', () => {
    const refusedByKernel = ['ioctl', 'prctl', 'getuid', 'geteuid', 'getgid', 'getegid'];
    const onlyWithExec = exec ? ['fork', 'vfork', 'setpgid'] : [];
    const contradictions = [...tried].filter((name) => allowed.has(name));
    expect(contradictions.sort()).toEqual([...refusedByKernel, ...onlyWithExec].sort());
  });
});
