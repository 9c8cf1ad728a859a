import { differences } from './differences.ts';
import { isRecord, isStringList } from './values.ts';

/**
 * The part of the last look that reads the seccomp profile. It holds a list of its own: a system call that is new in the
 * table of the policy is refused here until it is written down a second time, on purpose.
 */
export function checkSeccompProfile(text: string, exec: boolean): string | null {
  const profile = parseRecord(text);
  // Of a key that is there twice one reader may see the first, and another one the last.
  if (profile === null || JSON.stringify(profile) !== text)
    return 'a seccomp profile as plain JSON, with every key once';
  const { syscalls, ...head } = profile;
  const [wrong] = differences(head, HEAD);
  if (wrong !== undefined) return `a seccomp profile whose \`${wrong.path}\` is the only one that is allowed`;
  if (!Array.isArray(syscalls)) return 'a seccomp profile with `syscalls`';
  return compare(syscalls.flatMap(toEntries), expectedEntries(exec));
}

/** Denies by default, with EPERM, and knows no second ABI: 32-bit calls go around the filter of their 64-bit twins. */
const HEAD = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
  ],
};

function parseRecord(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** A rule as one line for each of its names: the name, and everything else that the rule says. */
function toEntries(rule: unknown): string[] {
  if (!isRecord(rule)) return [JSON.stringify(rule)];
  const { names, comment, ...rest } = rule;
  const isReadable = isStringList(names) && names.length > 0 && typeof (comment ?? '') === 'string';
  return isReadable ? names.map((name) => toEntry(name, rest)) : [JSON.stringify(rule)];
}

function toEntry(name: string, rest: object): string {
  return `${name} ${JSON.stringify(rest)}`;
}

function compare(entries: readonly string[], expected: ReadonlySet<string>): string | null {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (!expected.has(entry) || seen.has(entry))
      return `a seccomp profile without \`${entry.slice(0, 100)}\``;
    seen.add(entry);
  }
  const missing = [...expected].find((entry) => !seen.has(entry));
  return missing === undefined ? null : `a seccomp profile with \`${missing}\``;
}

function expectedEntries(exec: boolean): ReadonlySet<string> {
  const allowed = exec ? [...ALLOWED, ...ALLOWED_WITH_EXEC] : ALLOWED;
  return new Set([
    ...allowed.map((name) => toEntry(name, { action: 'SCMP_ACT_ALLOW' })),
    ...CONDITIONAL,
    exec ? CLONE_WITHOUT_NAMESPACES : CLONE_OF_THREADS,
  ]);
}

/** System calls that any plugin may make, whatever their arguments. */
const ALLOWED = `
  _llseek accept accept4 access alarm bind brk capget chdir chmod clock_getres clock_getres_time64
  clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
  copy_file_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait
  eventfd eventfd2 execve exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat
  fchmodat2 fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fsync ftruncate ftruncate64 futex
  futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list getcpu getcwd getdents
  getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority
  getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid
  inotify_add_watch inotify_init1 inotify_rm_watch ioctl kill link linkat listen lseek lstat lstat64 madvise
  membarrier mincore mkdir mkdirat mlock mprotect mremap mseal msync munlock munmap nanosleep
  newfstatat open openat openat2 pause pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64
  preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
  recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending
  rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getparam sched_getscheduler sched_yield select sendfile sendmmsg sendmsg sendto
  set_robust_list set_tid_address setitimer shutdown sigaltstack signalfd4 stat stat64
  statfs statfs64 statx symlink symlinkat sysinfo tgkill time timer_create timer_delete timer_getoverrun
  timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times truncate ugetrlimit umask
  uname unlink unlinkat utime utimensat utimes wait4 waitid write writev`
  .trim()
  .split(/\s+/);

const ALLOWED_WITH_EXEC = ['fork', 'setpgid', 'setsid', 'vfork'];

/** Sockets of AF_UNIX; of AF_INET and AF_INET6 by TCP and UDP; of AF_NETLINK for routes. */
const SOCKETS = [
  [2, 0],
  [2, 6],
  [2, 17],
  [10, 0],
  [10, 6],
  [10, 17],
  [16, 0],
];

/** Levels of which every option may be set: IP, TCP, UDP and IPv6. */
const FREE_LEVELS = [0, 6, 17, 41];
/** Of SOL_SOCKET: nothing that sizes a buffer in the kernel (7, 8, 32, 33). */
const SOCKET_LEVEL_OPTIONS = [1, 2, 6, 9, 13, 15, 16, 20, 21];

const CONDITIONAL = [
  'arch_prctl {"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64"]}}',
  // ENOSYS, for want of a tracer: its flags are behind a pointer, where no filter can look.
  'clone3 {"action":"SCMP_ACT_TRACE"}',
  'socket {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}',
  ...SOCKETS.map(
    ([family, protocol]) =>
      `socket {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":${family},"op":"SCMP_CMP_EQ"},{"index":2,"value":${protocol},"op":"SCMP_CMP_EQ"}]}`,
  ),
  ...FREE_LEVELS.map(
    (level) =>
      `setsockopt {"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":${level},"op":"SCMP_CMP_EQ"}]}`,
  ),
  ...SOCKET_LEVEL_OPTIONS.map(
    (option) =>
      `setsockopt {"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":1,"op":"SCMP_CMP_EQ"},{"index":2,"value":${option},"op":"SCMP_CMP_EQ"}]}`,
  ),
  // Without MAP_HUGETLB.
  'mmap {"action":"SCMP_ACT_ALLOW","args":[{"index":3,"value":262144,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}',
  'mmap2 {"action":"SCMP_ACT_ALLOW","args":[{"index":3,"value":262144,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}',
  'socketpair {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}',
];

/** The masks: 0x7e020000 is every CLONE_NEW*, 0x00010000 is CLONE_THREAD. */
const CLONE_OF_THREADS =
  'clone {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114125824,"valueTwo":65536,"op":"SCMP_CMP_MASKED_EQ"}]}';
const CLONE_WITHOUT_NAMESPACES =
  'clone {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}';
