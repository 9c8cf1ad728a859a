/**
 * The system calls that Node needs, with slack, in groups with a reason each. What is on no list fails with EPERM.
 * Names of the other architecture are skipped by the engine, so one table serves amd64 and arm64.
 */
export interface SyscallGroup {
  readonly reason: string;
  readonly names: readonly string[];
}

// biome-ignore format: a table of names reads better in full lines.
export const SYSCALL_GROUPS: readonly SyscallGroup[] = [
  {
    reason: 'Read, write and position in files that are open.',
    names: [
      '_llseek', 'close', 'close_range', 'copy_file_range', 'dup', 'dup2', 'dup3', 'fadvise64', 'fallocate', 'fcntl',
      'fcntl64', 'fdatasync', 'flock', 'fsync', 'ftruncate', 'ftruncate64', 'ioctl', 'lseek', 'pread64', 'preadv',
      'preadv2', 'pwrite64', 'pwritev', 'pwritev2', 'read', 'readahead', 'readv', 'sendfile', 'write', 'writev',
    ],
  },
  {
    reason: 'Open, look at and change names; what may be changed is up to the read-only root.',
    names: [
      'access', 'chdir', 'chmod', 'faccessat', 'faccessat2', 'fchdir', 'fchmod', 'fchmodat', 'fchmodat2', 'fstat',
      'fstat64', 'fstatat64', 'fstatfs', 'getcwd', 'getdents', 'getdents64', 'link', 'linkat', 'lstat', 'lstat64',
      'mkdir', 'mkdirat', 'newfstatat', 'open', 'openat', 'openat2', 'readlink', 'readlinkat', 'rename', 'renameat',
      'renameat2', 'rmdir', 'stat', 'stat64', 'statfs', 'statfs64', 'statx', 'symlink', 'symlinkat', 'truncate',
      'umask', 'unlink', 'unlinkat', 'utime', 'utimensat', 'utimes',
    ],
  },
  {
    reason: 'Watch files: `fs.watch`.',
    names: ['inotify_add_watch', 'inotify_init1', 'inotify_rm_watch'],
  },
  {
    reason: 'Memory of the process itself; V8 changes the protection of its own pages.',
    names: [
      'brk', 'madvise', 'membarrier', 'mincore', 'mlock', 'mprotect', 'mremap', 'mseal', 'msync',
      'munlock', 'munmap', 'pkey_alloc', 'pkey_free', 'pkey_mprotect',
    ],
  },
  {
    reason: 'Wait for events: the loop of libuv.',
    names: [
      'epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_pwait', 'epoll_pwait2', 'epoll_wait', 'eventfd', 'eventfd2',
      'pipe', 'pipe2', 'poll', 'ppoll', 'pselect6', 'select',
    ],
  },
  {
    reason: 'Threads of the same process meet and take turns.',
    names: [
      'futex', 'futex_requeue', 'futex_time64', 'futex_wait', 'futex_waitv', 'futex_wake', 'get_robust_list', 'gettid',
      'rseq', 'sched_get_priority_max', 'sched_get_priority_min', 'sched_getaffinity', 'sched_getparam',
      'sched_getscheduler', 'sched_yield', 'set_robust_list', 'set_tid_address',
    ],
  },
  {
    reason: 'Clocks and timers.',
    names: [
      'alarm', 'clock_getres', 'clock_getres_time64', 'clock_gettime', 'clock_gettime64', 'clock_nanosleep',
      'clock_nanosleep_time64', 'getitimer', 'gettimeofday', 'nanosleep', 'setitimer', 'time', 'timer_create',
      'timer_delete', 'timer_getoverrun', 'timer_gettime', 'timer_settime', 'timerfd_create', 'timerfd_gettime',
      'timerfd_settime', 'times',
    ],
  },
  {
    reason: 'Signals; the pid namespace leaves no other process to send one to.',
    names: [
      'kill', 'pause', 'restart_syscall', 'rt_sigaction', 'rt_sigpending', 'rt_sigprocmask', 'rt_sigreturn',
      'rt_sigsuspend', 'rt_sigtimedwait', 'sigaltstack', 'signalfd4', 'tgkill',
    ],
  },
  {
    reason: 'Ask who and where the process is and how much it used; `prctl` and `prlimit64` reach no other process.',
    names: [
      'capget', 'getcpu', 'getegid', 'geteuid', 'getgid', 'getgroups', 'getpgid', 'getpgrp', 'getpid', 'getppid',
      'getpriority', 'getrandom', 'getresgid', 'getresuid', 'getrlimit', 'getrusage', 'getsid', 'getuid', 'prctl',
      'prlimit64', 'sysinfo', 'ugetrlimit', 'uname',
    ],
  },
  {
    reason: 'Sockets once they are made; which families can be made, and which options set, are rules of their own.',
    names: [
      'accept', 'accept4', 'bind', 'connect', 'getpeername', 'getsockname', 'getsockopt', 'listen', 'recvfrom',
      'recvmmsg', 'recvmsg', 'sendmmsg', 'sendmsg', 'sendto', 'shutdown',
    ],
  },
  {
    reason: 'End, and wait for a child that has ended.',
    names: ['exit', 'exit_group', 'wait4', 'waitid'],
  },
  {
    reason: 'The OCI runtime starts Node with it, after the filter is in place; the image holds no other program.',
    names: ['execve'],
  },
];

/** Only with the permission to start processes. */
export const EXEC_GROUP: SyscallGroup = {
  reason: 'Start processes and put them into groups.',
  names: ['fork', 'setpgid', 'setsid', 'vfork'],
};

/** Sockets are allowed family by family: only equality fails closed for every value of the 64-bit argument. */
export const SOCKET_FAMILIES = [
  { family: 1, protocols: null, reason: 'AF_UNIX: pipes of libuv.' },
  {
    family: 2,
    protocols: [0, 6, 17],
    reason: 'AF_INET, by TCP and UDP; without a network it reaches only the loopback device.',
  },
  { family: 10, protocols: [0, 6, 17], reason: 'AF_INET6; likewise.' },
  { family: 16, protocols: [0], reason: 'AF_NETLINK for routes only: getifaddrs and getaddrinfo.' },
] as const;

/**
 * Options of sockets, by level; `null` is all of a level. Without SO_SNDBUF and SO_RCVBUF, which let one socket hold
 * megabytes of kernel memory: on cgroup v1 no limit of the container counts those of TCP and UDP, and nowhere those of
 * netlink.
 */
export const SOCKET_OPTIONS = [
  {
    level: 1,
    // SO_DEBUG, REUSEADDR, BROADCAST, KEEPALIVE, LINGER, REUSEPORT, PASSCRED, RCVTIMEO and SNDTIMEO.
    options: [1, 2, 6, 9, 13, 15, 16, 20, 21],
    reason: 'SOL_SOCKET: what Node sets, without the sizes of the buffers.',
  },
  { level: 0, options: null, reason: 'IPPROTO_IP.' },
  { level: 6, options: null, reason: 'IPPROTO_TCP: no delay, keep-alive.' },
  { level: 17, options: null, reason: 'IPPROTO_UDP.' },
  { level: 41, options: null, reason: 'IPPROTO_IPV6.' },
] as const;

/** `mmap` flag: pages that are set aside for the host, and count as memory of nobody. */
export const MAP_HUGETLB = 0x0004_0000;

/** `clone` flags, from the header `linux/sched.h`. */
export const CLONE_THREAD = 0x0001_0000;
/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET, and NEWNS. */
export const CLONE_NEW_NAMESPACES = 0x7e02_0000;
