import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSeccompProfile } from '../../src/engine/verify-seccomp.ts';
import { buildSeccompProfile, type SeccompRule } from '../../src/policy/seccomp.ts';

const PROFILES = [false, true].map((exec) => ({ exec, profile: buildSeccompProfile({ exec }) }));

test.each(PROFILES)(
  'the two lists of system calls agree for exec $exec; if not: is this deliberate?',
  ({ exec, profile }) => {
    expect(checkSeccompProfile(JSON.stringify(profile), exec)).toBeNull();
  },
);

test.each(PROFILES)('the profile for exec $exec is refused for the opposite setting', ({ exec, profile }) => {
  expect(checkSeccompProfile(JSON.stringify(profile), !exec)).toMatch(/^a seccomp profile without `clone /);
});

/** What would open the kernel, or a door between containers. Written down here alone. */
const NEVER = `
  _sysctl acct add_key adjtimex afs_syscall bpf cachestat chown chroot clock_adjtime clock_settime create_module
  delete_module execveat fanotify_init fanotify_mark fchown fchownat finit_module fsconfig fsmount fsopen fspick init_module
  io_cancel io_destroy io_getevents io_setup io_submit io_uring_enter io_uring_register io_uring_setup ioperm iopl ipc
  kcmp kexec_file_load kexec_load keyctl landlock_create_ruleset lchown listmount lookup_dcookie memfd_create memfd_secret
  migrate_pages mknod mknodat mlockall modify_ldt mount mount_setattr move_mount move_pages mq_open msgget
  name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality pidfd_getfd pidfd_open
  pidfd_send_signal pivot_root process_madvise process_mrelease process_vm_readv process_vm_writev ptrace quotactl reboot
  remap_file_pages request_key rtas sched_setaffinity sched_setattr sched_setscheduler seccomp semget set_mempolicy
  setdomainname setfsuid setgid setgroups sethostname setns setpriority setresuid setreuid setsid setuid settimeofday
  setxattr shmat shmget socketcall splice statmount stime swapoff swapon sync syncfs syslog tee umount umount2 unshare
  userfaultfd ustat vhangup vm86 vmsplice capset clone3 uselib
`
  .trim()
  .split(/\s+/);

test.each(NEVER)('the system call `%s` is allowed to no plugin', (name) => {
  for (const { exec, profile } of PROFILES) {
    if (exec && name === 'setsid') continue;
    const rules = profile.syscalls.filter(
      // Without a tracer, TRACE answers ENOSYS.
      ({ names, action }) => action !== 'SCMP_ACT_TRACE' && names.includes(name),
    );
    expect(rules).toEqual([]);
    const added: SeccompRule = { names: [name], action: 'SCMP_ACT_ALLOW' };
    const text = JSON.stringify({ ...profile, syscalls: [...profile.syscalls, added] });
    expect(checkSeccompProfile(text, exec)).toContain(`without \`${name} `);
  }
});

describe('a seccomp profile is refused', () => {
  const [{ profile }] = PROFILES as [(typeof PROFILES)[number]];
  const text = JSON.stringify(profile);

  test('without any one of its names, which the message has', () => {
    for (const { names } of profile.syscalls) {
      for (const name of names) {
        const syscalls = profile.syscalls.map((rule) => ({
          ...rule,
          names: rule.names.filter((other) => other !== name),
        }));
        const kept = syscalls.filter((rule) => rule.names.length > 0);
        expect(checkSeccompProfile(JSON.stringify({ ...profile, syscalls: kept }), false)).toContain(
          `with \`${name} `,
        );
      }
    }
  });

  test('with any additional name', () => {
    const known = new Set(profile.syscalls.flatMap(({ names }) => names));
    const property = fc.property(fc.string(), fc.nat(profile.syscalls.length - 1), (name, at) => {
      const names = (rule: SeccompRule): string[] => [...rule.names, name];
      const syscalls = profile.syscalls.map((rule, index) =>
        index === at ? { ...rule, names: names(rule) } : rule,
      );
      expect(checkSeccompProfile(JSON.stringify({ ...profile, syscalls }), false)).not.toBeNull();
    });
    fc.assert(property, { examples: [...known].map((name) => [name, 0]) });
  });

  test.each([
    ['that is no JSON', '{'],
    ['that is a list', '[]'],
    ['that is nothing', 'null'],
    ['with a key twice', text.replace('{', '{"defaultAction":"SCMP_ACT_ALLOW",')],
    [
      'with a list of rules twice',
      text.replace('"syscalls":', '"syscalls":[{"names":["ptrace"]}],"syscalls":'),
    ],
    ['with another spelling of a key', text.replace('{', '{"Syscalls":[],')],
    ['with blanks', text.replace('{', '{ ')],
    ['with a number as a text', text.replace('"value":16,', '"value":"16",')],
    ['with rules that are no list', JSON.stringify({ ...profile, syscalls: { ...profile.syscalls } })],
    ['with a rule that is none', JSON.stringify({ ...profile, syscalls: [...profile.syscalls, null] })],
    ['with a comment that is no text', text.replace(/"comment":"[^"]*"/, '"comment":{}')],
  ])('%s', (_title, changed) => {
    expect(changed).not.toBe(text);
    expect(checkSeccompProfile(changed, false)).not.toBeNull();
  });
});
