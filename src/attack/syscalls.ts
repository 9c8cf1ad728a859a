import { PLUGIN_UIDS } from '../policy/uids.ts';

/**
 * Raw system calls of x86-64 that a plugin has no business with, each with arguments that are harmless where the kernel
 * takes them and that it refuses with anything but EPERM where it can: an EFAULT, EINVAL or EBADF says that the call got
 * past the filter. Where a missing capability answers EPERM as well, either wall holds.
 */
export interface Syscall {
  readonly name: string;
  /** In the table of x86-64; a call of the 32-bit table has the number there. */
  readonly number: number;
  readonly args: readonly Argument[];
  /** What the call returns when it is refused: negative numbers are those of Linux's errors. */
  readonly refusals: readonly number[];
  /** Where it succeeds it returns twice, in what it made too: that then leaves at once, or stays and sleeps. */
  readonly child: 'none' | 'leaves' | 'stays';
  /** How the kernel is entered: `int80` is the way of 32-bit programs. */
  readonly entry: 'syscall' | 'int80';
}

/** A number as the register takes it, or the address of a text or of where the answers are kept. */
export type Argument = number | bigint | { readonly text: string } | 'answers';

const EPERM = 1;
const EIO = 5;
const EBADF = 9;
const ENOTTY = 25;
const ENOSYS = 38;

/** By the filter, or because this kernel does not have the call at all. */
export const REFUSED: readonly number[] = [-EPERM, -ENOSYS];

const NULL = 0;
const NO_FD = -1;
/** Above the largest pid that Linux gives out. */
const NO_PID = 0x7fff_fff0;
/** No address of a process: reading from it is EFAULT. */
const NOWHERE = 1;
/** Set in a flags word that has no such flag: EINVAL. */
const NO_FLAG = 0x4000_0000;

const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_HUGETLB = 0x4_0000;

export const MOUNT_CALLS: readonly Syscall[] = [
  call('mount', 165, NULL, NULL, NULL, 0, NULL),
  call('mount(proc)', 165, { text: 'proc' }, { text: '/tmp' }, { text: 'proc' }, 0, NULL),
  call('umount2', 166, NULL, NO_FLAG),
  call('pivot_root', 155, NULL, NULL),
  call('chroot', 161, NULL),
  call('fsopen', 430, NULL, NO_FLAG),
  call('fsconfig', 431, NO_FD, 0, NULL, NULL, 0),
  call('fsmount', 432, NO_FD, 0, 0),
  call('fspick', 433, NO_FD, NULL, 0),
  call('open_tree', 428, NO_FD, NULL, NO_FLAG),
  call('open_tree_attr', 467, NO_FD, NULL, NO_FLAG, NULL, 0),
  call('move_mount', 429, NO_FD, NULL, NO_FD, NULL, 0),
  call('mount_setattr', 442, NO_FD, NULL, NO_FLAG, NULL, 0),
  call('statmount', 457, NULL, NULL, 0, 0),
  call('listmount', 458, NULL, NULL, 0, 0),
  call('name_to_handle_at', 303, NO_FD, NULL, NULL, NULL, NO_FLAG),
  call('open_by_handle_at', 304, NO_FD, NULL, 0),
  call('mknod(fifo)', 133, NULL, 0o010600, 0),
  call('mknod(block device 8:0)', 133, { text: '/tmp/disk' }, 0o060600, 0x800),
  call('mknodat', 259, NO_FD, NULL, 0o010600, 0),
  call('swapon', 167, NULL, NO_FLAG),
  call('swapoff', 168, NOWHERE),
  call('quotactl', 179, -1, NULL, 0, NULL),
  call('quotactl_fd', 443, NO_FD, -1, 0, NULL),
  call('acct', 163, NOWHERE),
  call('fanotify_init', 300, 0x200, 0),
  call('fanotify_mark', 301, NO_FD, 0, 0, NO_FD, NULL),
  call('setxattr', 188, NULL, NULL, NULL, 0, 0),
  call('ustat', 136, 0, NULL),
  call('sysfs', 139, 99, 0, 0),
  call('uselib', 134, NULL),
  call('syncfs', 306, NO_FD),
];

const SIGCHLD = 17;
const CLONE_VM = 0x100;
const CLONE_FS = 0x200;
const CLONE_FILES = 0x400;
const CLONE_VFORK = 0x4000;
const CLONE_SIGHAND = 0x800;
const CLONE_THREAD = 0x1_0000;
const CLONE_SYSVSEM = 0x4_0000;
const CLONE_OF_THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
const CLONE_NEWNS = 0x2_0000;
const CLONE_NEWCGROUP = 0x200_0000;
const CLONE_NEWUTS = 0x400_0000;
const CLONE_NEWIPC = 0x800_0000;
const CLONE_NEWUSER = 0x1000_0000;
const CLONE_NEWPID = 0x2000_0000;
const CLONE_NEWNET = 0x4000_0000;
const CLONE_NEWTIME = 0x80;
/** Bits above the 32 that the kernel reads of `clone`'s flags. */
const HIGH_BIT = 1n << 32n;

/** With `exec: false` there are no processes; namespaces there are never. */
export const PROCESS_CALLS: readonly Syscall[] = [
  forking('fork', 57),
  forking('vfork', 58),
  forking('clone(SIGCHLD)', 56, SIGCHLD, 0),
  forking('clone(VM|VFORK)', 56, CLONE_VM | CLONE_VFORK | SIGCHLD, 0),
  forking('clone(SIGCHLD, a high bit set)', 56, HIGH_BIT | BigInt(SIGCHLD), 0),
  call('execveat', 322, NO_FD, NULL, NULL, NULL, 0),
  call('memfd_create', 319, NULL, 0),
  call('memfd_secret', 447, NO_FLAG),
  call('setpgid', 109, NO_PID, 0),
];

export const NAMESPACE_CALLS: readonly Syscall[] = [
  forking('clone(NEWUSER)', 56, CLONE_NEWUSER | SIGCHLD, 0),
  forking('clone(NEWUSER|NEWNS|NEWPID|NEWNET)', 56, newNamespaces() | SIGCHLD, 0),
  forking('clone(NEWUSER, a high bit set)', 56, HIGH_BIT | BigInt(CLONE_NEWUSER | SIGCHLD), 0),
  // No kernel lets a thread have it; what answers EINVAL was asked.
  call('clone(THREAD|NEWUSER)', 56, CLONE_THREAD | CLONE_NEWUSER, 0),
  call('clone(THREAD|NEWNS)', 56, CLONE_THREAD | CLONE_NEWNS, 0),
  call('clone3', 435, NULL, 0),
  call('unshare(nothing)', 272, 0),
  call('unshare(FS)', 272, CLONE_FS),
  call('unshare(FILES, a high bit set)', 272, HIGH_BIT | BigInt(CLONE_FILES)),
  call('unshare(NEWUSER)', 272, CLONE_NEWUSER),
  call('unshare(NEWUSER|NEWNS)', 272, CLONE_NEWUSER | CLONE_NEWNS),
  call('unshare(NEWNET)', 272, CLONE_NEWNET),
  call('unshare(NEWPID)', 272, CLONE_NEWPID),
  call('unshare(NEWIPC)', 272, CLONE_NEWIPC),
  call('unshare(NEWUTS)', 272, CLONE_NEWUTS),
  call('unshare(NEWCGROUP)', 272, CLONE_NEWCGROUP),
  call('unshare(NEWTIME)', 272, CLONE_NEWTIME),
  call('setns', 308, NO_FD, 0),
  call('setns(NEWUSER)', 308, NO_FD, CLONE_NEWUSER),
];

/** To read, steer or look at a process that is not one's own. */
export const TAMPERING_CALLS: readonly Syscall[] = [
  call('ptrace(PEEKDATA)', 101, 2, NO_PID, NULL, NULL),
  call('ptrace(SEIZE)', 101, 0x4206, NO_PID, NULL, NULL),
  call('process_vm_readv', 310, NO_PID, NULL, 0, NULL, 0, 0),
  call('process_vm_writev', 311, NO_PID, NULL, 0, NULL, 0, 0),
  call('process_madvise', 440, NO_FD, NULL, 0, 0, 0),
  call('process_mrelease', 448, NO_FD, 0),
  call('pidfd_open', 434, -1, 0),
  call('pidfd_getfd', 438, NO_FD, 0, 0),
  call('pidfd_send_signal', 424, NO_FD, 0, NULL, 0),
  call('kcmp', 312, NO_PID, NO_PID, 0, 0, 0),
  call('rt_sigqueueinfo', 129, NO_PID, 0, NULL),
  call('rt_tgsigqueueinfo', 297, NO_PID, NO_PID, 0, NULL),
  call('migrate_pages', 256, NO_PID, 0, NULL, NULL),
  call('move_pages', 279, NO_PID, 0, NULL, NULL, NULL, 0),
  call('mbind', 237, 0, 0, 99, NULL, 0, 0),
  call('set_mempolicy', 238, 99, NULL, 0),
  call('set_mempolicy_home_node', 450, 0, 0, 0, 99),
  call('sched_setaffinity', 203, NO_PID, 0, NULL),
  call('sched_setscheduler', 144, NO_PID, 0, NULL),
  call('sched_setparam', 142, NO_PID, NULL),
  call('sched_setattr', 314, NO_PID, NULL, 0),
  call('setpriority', 141, 99, 0, 0),
  call('ioprio_set', 251, 99, 0, 0),
];

/** Large, young or powerful parts of the kernel: where its holes are found. */
export const KERNEL_CALLS: readonly Syscall[] = [
  call('bpf', 321, 0xffff, NULL, 0x10_0000),
  call('perf_event_open', 298, NULL, 0, -1, -1, NO_FLAG),
  call('userfaultfd', 323, NO_FLAG | 1),
  call('io_uring_setup', 425, 0, NULL),
  call('io_uring_enter', 426, NO_FD, 0, 0, 0, NULL, 0),
  call('io_uring_register', 427, NO_FD, 0, NULL, 0),
  call('io_setup', 206, 0, NULL),
  call('io_submit', 209, 0, 0, NULL),
  call('io_getevents', 208, 0, 0, 0, NULL, NULL),
  call('io_cancel', 210, 0, NULL, NULL),
  call('io_destroy', 207, 0),
  call('io_pgetevents', 333, 0, 0, 0, NULL, NULL, NULL),
  call('splice', 275, NO_FD, NULL, NO_FD, NULL, 0, 0),
  call('tee', 276, NO_FD, NO_FD, 0, 0),
  call('vmsplice', 278, NO_FD, NULL, 0, 0),
  call('add_key', 248, NULL, NULL, NULL, 0, 0),
  call('request_key', 249, NULL, NULL, NULL, 0),
  call('keyctl', 250, 0xffff, 0, 0, 0, 0),
  call('keyctl(session keyring)', 250, 0, -3, 0),
  call('init_module', 175, NULL, 0, NULL),
  call('finit_module', 313, NO_FD, NULL, NO_FLAG),
  call('delete_module', 176, NULL, 0),
  call('kexec_load', 246, 0, 0, NULL, -1),
  call('kexec_file_load', 320, NO_FD, NO_FD, 0, NULL, -1),
  call('reboot', 169, 0, 0, 0, NULL),
  call('syslog', 103, 10, NULL, 0),
  call('settimeofday', 164, NOWHERE, NULL),
  call('clock_settime', 227, 0, NULL),
  call('adjtimex', 159, NULL),
  call('clock_adjtime', 305, 0, NULL),
  call('sethostname', 170, NULL, -1),
  call('setdomainname', 171, NULL, -1),
  call('vhangup', 153),
  call('iopl', 172, 4),
  call('ioperm', 173, 0, 0, 0),
  call('modify_ldt', 154, 0, NULL, 0),
  call('personality', 135, 0xffff_ffff),
  call('mmap(HUGETLB)', 9, NULL, 0, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, NO_FD, 0),
  call('lookup_dcookie', 212, 0, NULL, 0),
  call('seccomp', 317, 99, 0, NULL),
  call('landlock_create_ruleset', 444, NULL, 0, 1),
  call('landlock_add_rule', 445, NO_FD, 0, NULL, 0),
  call('landlock_restrict_self', 446, NO_FD, 0),
  call('lsm_list_modules', 461, NULL, NULL, 0),
  call('mlockall', 151, 0),
  call('mlock2', 325, 0, 0, 0xff),
  call('remap_file_pages', 216, 0, 0, 0, 0, 0),
  call('cachestat', 451, NO_FD, NULL, NULL, 0),
  // A character pushed into a terminal is read by whoever sits before it.
  call('ioctl(TIOCSTI)', 16, 0, 0x5412, NULL, [-EPERM, -ENOTTY, -EIO, -EBADF]),
  call('ioctl(TIOCLINUX)', 16, 0, 0x541c, NULL, [-EPERM, -ENOTTY, -EIO, -EBADF]),
];

/** What containers could meet in, or leave something in for the next one. */
export const IPC_CALLS: readonly Syscall[] = [
  call('shmget', 29, 0x6c75726b, 0, 0),
  call('shmat', 30, -1, NULL, 0),
  call('shmctl', 31, -1, 0, NULL),
  call('shmdt', 67, NOWHERE),
  call('semget', 64, 0x6c75726b, 0, 0),
  call('semop', 65, -1, NULL, 0),
  call('semctl', 66, -1, 0, 0),
  call('semtimedop', 220, -1, NULL, 0, NULL),
  call('msgget', 68, 0x6c75726b, 0),
  call('msgsnd', 69, -1, NULL, 0, 0),
  call('msgrcv', 70, -1, NULL, 0, 0, 0),
  call('msgctl', 71, -1, 0, NULL),
  call('mq_open', 240, NULL, 0, 0, NULL),
  call('mq_unlink', 241, NULL),
  call('mq_timedsend', 242, NO_FD, NULL, 0, 0, NULL),
  call('mq_timedreceive', 243, NO_FD, NULL, 0, NULL, NULL),
  call('mq_notify', 244, NO_FD, NULL),
  call('mq_getsetattr', 245, NO_FD, NULL, NULL),
];

export const IDENTITY_CALLS: readonly Syscall[] = [
  call('setuid', 105, -1),
  call('setuid(0)', 105, 0),
  call('setgid', 106, -1),
  call('setgid(0)', 106, 0),
  call('setreuid', 113, -1, -1),
  call('setregid', 114, -1, -1),
  call('setresuid', 117, -1, -1, -1),
  call('setresgid', 119, -1, -1, -1),
  call('setfsuid', 122, -1),
  call('setfsgid', 123, -1),
  call('setgroups', 116, 0, NULL),
  call('capset', 126, NULL, NULL),
  call('prctl(raise an ambient capability)', 157, 47, 2, 21, 0, 0, [-EPERM]),
  call('prctl(change the securebits)', 157, 28, 0xff, 0, 0, 0, [-EPERM]),
  call('chown', 92, NULL, 0, 0),
  call('fchown', 93, NO_FD, 0, 0),
  call('lchown', 94, NULL, 0, 0),
  call('fchownat', 260, NO_FD, NULL, 0, 0, 0),
];

/** Whatever range a policy names, it is within these. */
const IDS_OF_PLUGINS = Array.from(
  { length: PLUGIN_UIDS.last - PLUGIN_UIDS.first + 1 },
  (_, index) => PLUGIN_UIDS.last - index,
);

/** Not refusals but facts: what the kernel itself says of the process, where `/proc` may leave it out. */
export const STATE_CALLS: readonly Syscall[] = [
  call('prctl(is new privilege out of reach?)', 157, 39, 0, 0, 0, 0, [1]),
  call('prctl(give privilege back)', 157, 38, 0, 0, 0, 0, [-22]),
  call('prctl(is there a filter?)', 157, 21, 0, 0, 0, 0, [2]),
  call('getuid', 102, IDS_OF_PLUGINS),
  call('geteuid', 107, IDS_OF_PLUGINS),
  call('getgid', 104, IDS_OF_PLUGINS),
  call('getegid', 108, IDS_OF_PLUGINS),
];

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
/** Linux has 46 so far; the kernel reads no more than 32 bits of the argument. */
const FAMILIES = [...Array(64).keys(), 0x7fff_ffff, -1];
/** A socket type with a flag that does not exist: EINVAL before a family is looked for, so no module is loaded for it. */
const NO_TYPE = 0x10_0003;

const FAMILY_NAMES: Readonly<Record<number, string>> = {
  3: 'AX25',
  4: 'IPX',
  5: 'APPLETALK',
  9: 'X25',
  15: 'KEY',
  17: 'PACKET',
  19: 'ECONET',
  20: 'ATMSVC',
  21: 'RDS',
  23: 'IRDA',
  24: 'PPPOX',
  26: 'LLC',
  29: 'CAN',
  30: 'TIPC',
  31: 'BLUETOOTH',
  33: 'RXRPC',
  35: 'PHONET',
  36: 'IEEE802154',
  37: 'CAIF',
  38: 'ALG',
  39: 'NFC',
  40: 'VSOCK',
  41: 'KCM',
  42: 'QIPCRTR',
  43: 'SMC',
  44: 'XDP',
  45: 'MCTP',
};

/** Every protocol of netlink but that for routes, which libc asks. */
const NETLINK_PROTOCOLS = [...Array(31).keys()].slice(1);

/** ICMP, DCCP, ICMPv6, SCTP, UDP-Lite, raw and MPTCP: of the internet, but neither TCP nor UDP. */
const OTHER_PROTOCOLS = [1, 33, 58, 132, 136, 255, 262];

export const SOCKET_CALLS: readonly Syscall[] = [
  ...FAMILIES.filter((family) => ![AF_UNIX, AF_INET, AF_INET6, AF_NETLINK].includes(family)).map((family) =>
    call(`socket(${familyName(family)})`, 41, family, NO_TYPE, 0),
  ),
  ...[15, 17, 30, 31, 38, 40, 44].map((family) =>
    call(`socket(${familyName(family)}, a high bit set)`, 41, HIGH_BIT | BigInt(family), NO_TYPE, 0),
  ),
  ...NETLINK_PROTOCOLS.map((protocol) =>
    call(`socket(NETLINK, ${protocol})`, 41, AF_NETLINK, NO_TYPE, protocol),
  ),
  ...[AF_INET, AF_INET6].flatMap((family) =>
    OTHER_PROTOCOLS.map((protocol) =>
      call(`socket(${familyName(family)}, ${protocol})`, 41, family, NO_TYPE, protocol),
    ),
  ),
  call('socket(NETLINK, 9, a high bit set)', 41, AF_NETLINK, NO_TYPE, HIGH_BIT | 9n),
  call('socket(NETLINK and a high bit, 9)', 41, HIGH_BIT | BigInt(AF_NETLINK), NO_TYPE, 9),
  // It makes sockets of a family before it finds that they cannot be paired.
  ...FAMILIES.filter((family) => family !== AF_UNIX).map((family) =>
    call(`socketpair(${familyName(family)})`, 53, family, NO_TYPE, 0, NULL),
  ),
  call('socketpair(ALG, a high bit set)', 53, HIGH_BIT | 38n, NO_TYPE, 0, NULL),
];

/** All of them, for one probe. */
export const SYSCALLS: readonly Syscall[] = [
  ...MOUNT_CALLS,
  ...PROCESS_CALLS,
  ...NAMESPACE_CALLS,
  ...TAMPERING_CALLS,
  ...KERNEL_CALLS,
  ...IPC_CALLS,
  ...IDENTITY_CALLS,
  ...STATE_CALLS,
  ...SOCKET_CALLS,
];

/** More threads than a container may have: each is made and stays, until one is not made. Belongs into a probe of its own. */
export const THREAD_CALLS: readonly Syscall[] = Array.from({ length: 512 }, (_, index) => ({
  ...call(`thread ${index + 1}`, 56, CLONE_OF_THREAD, 0),
  child: 'stays',
}));

/** More than anybody else has: Node itself has next to none. */
export const HELD_TIMERS = 100;

/**
 * Takes what the kernel counts by user and not by container: signals that timers may come to send, and instances of
 * inotify, of which there are 128 where nobody changed it. Timers first, whose numbers land on the first answer.
 */
export const TABLE_CALLS: readonly Syscall[] = [
  ...Array.from({ length: HELD_TIMERS }, (_, index) => call(`timer ${index + 1}`, 222, 1, NULL, 'answers')),
  ...Array.from({ length: 200 }, (_, index) => call(`inotify ${index + 1}`, 294, 0)),
];

const X32_BIT = 0x4000_0000;

/**
 * Doors for other programs than 64-bit ones, behind which the numbers mean other calls. Each belongs into a probe of
 * its own: the kernel may end the process instead of answering.
 */
export const INT80_CALLS: readonly Syscall[] = [{ ...call('getpid by int 0x80', 20), entry: 'int80' }];
export const X32_CALLS: readonly Syscall[] = [call('getpid of x32', X32_BIT | 39)];

/** The last argument may be the list of what the call is to return. */
function call(name: string, number: number, ...args: (Argument | readonly number[])[]): Syscall {
  const last = args.at(-1);
  const refusals = Array.isArray(last) ? (last as readonly number[]) : REFUSED;
  return {
    name,
    number,
    args: args.filter((arg): arg is Argument => !Array.isArray(arg)),
    refusals,
    child: 'none',
    entry: 'syscall',
  };
}

function forking(name: string, number: number, ...args: Argument[]): Syscall {
  return { ...call(name, number, ...args), child: 'leaves' };
}

function newNamespaces(): number {
  return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
}

function familyName(family: number): string {
  return FAMILY_NAMES[family] ?? String(family);
}
