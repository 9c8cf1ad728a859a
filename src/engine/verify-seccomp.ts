import { isRecord, isStringList } from './values.ts';

/** None of these may be allowed by any rule, whatever its arguments. */
const NEVER_ALLOWED = new Set(
  `acct add_key bpf chroot clock_settime create_module delete_module execveat fanotify_init finit_module fsconfig fsmount
  fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
  keyctl lookup_dcookie memfd_create memfd_secret mknod mknodat modify_ldt mount mount_setattr move_mount
  name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd pidfd_open pivot_root
  process_vm_readv process_vm_writev ptrace quotactl reboot request_key seccomp setdomainname setgid setgroups sethostname
  setns setuid settimeofday shmat shmget msgget semget mq_open socketcall splice swapoff swapon syslog tee umount umount2
  unshare userfaultfd vmsplice capset`.split(/\s+/),
);
const PROCESS_CALLS = ['fork', 'vfork'];
const CLONE_NEW_NAMESPACES = 0x7e020000;
const CLONE_THREAD = 0x00010000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const SOCKET_FAMILIES = [1, 2, 10, 16];

const PROFILE_KEYS = ['defaultAction', 'defaultErrnoRet', 'archMap', 'syscalls'];
const RULE_KEYS = ['names', 'action', 'errnoRet', 'args', 'includes', 'comment'];

/** The part of the last look that reads the seccomp profile; answers what is expected, or `null` when all is well. */
export function checkSeccompProfile(text: string, exec: boolean): string | null {
  const profile = parseRecord(text);
  if (profile === null || profile['defaultAction'] !== 'SCMP_ACT_ERRNO')
    return 'a profile that denies by default';
  if (hasOtherKeys(profile, PROFILE_KEYS)) return `a profile of ${PROFILE_KEYS.join(', ')} only`;
  if (!Array.isArray(profile['archMap'])) return 'a profile with an `archMap`';
  if (!profile['archMap'].every((arch) => isRecord(arch) && isEmptyList(arch['subArchitectures']))) {
    return 'no second ABI: 32-bit calls go around the filter of their 64-bit twins';
  }
  if (!Array.isArray(profile['syscalls'])) return 'a profile with `syscalls`';
  for (const rule of profile['syscalls']) {
    const problem = checkSyscallRule(rule, exec);
    if (problem !== null) return problem;
  }
  return null;
}

function parseRecord(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function hasOtherKeys(record: object, known: readonly string[]): boolean {
  return Object.keys(record).some((key) => !known.includes(key));
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function checkSyscallRule(rule: unknown, exec: boolean): string | null {
  if (!isRecord(rule) || !isStringList(rule['names'])) return 'rules with `names`';
  if (hasOtherKeys(rule, RULE_KEYS)) return `rules of ${RULE_KEYS.join(', ')} only`;
  if (rule['action'] === 'SCMP_ACT_ERRNO') return null;
  if (rule['action'] !== 'SCMP_ACT_ALLOW') return 'only rules that allow or answer an error';
  const names = rule['names'];
  const args = Array.isArray(rule['args']) ? rule['args'] : [];
  const never = names.find((name) => NEVER_ALLOWED.has(name));
  if (never !== undefined) return `no rule for \`${never}\``;
  if (names.includes('clone3')) return '`clone3` to answer ENOSYS: its flags cannot be read by a filter';
  if (!exec && names.some((name) => PROCESS_CALLS.includes(name))) return 'no new process';
  if (names.includes('clone')) return checkCloneRule(args, exec);
  if (names.includes('socket')) return checkSocketRule(args);
  return null;
}

function checkCloneRule(args: readonly unknown[], exec: boolean): string | null {
  const [flags] = args;
  const ok =
    args.length === 1 &&
    isRecord(flags) &&
    flags['index'] === 0 &&
    flags['op'] === 'SCMP_CMP_MASKED_EQ' &&
    flags['value'] === (exec ? CLONE_NEW_NAMESPACES : CLONE_NEW_NAMESPACES + CLONE_THREAD) &&
    (flags['valueTwo'] ?? 0) === (exec ? 0 : CLONE_THREAD);
  return ok ? null : `\`clone\` for ${exec ? 'processes and ' : ''}threads without namespaces only`;
}

// runc reads two conditions on one argument as "either", so a second one may only be on another argument.
function checkSocketRule(args: readonly unknown[]): string | null {
  const [family, ...others] = args;
  const ok =
    isRecord(family) &&
    family['index'] === 0 &&
    family['op'] === 'SCMP_CMP_EQ' &&
    SOCKET_FAMILIES.includes(Number(family['value'])) &&
    others.every((other) => isRecord(other) && other['index'] !== 0);
  return ok ? null : `\`socket\` for the families ${SOCKET_FAMILIES.join(', ')} by equality only`;
}
