import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildSeccompProfile, type SeccompProfile } from '../../src/policy/seccomp.ts';

const profiles = [
  { exec: false, known: 'seccomp-no-exec.json' },
  { exec: true, known: 'seccomp-exec.json' },
];

describe.each(profiles)('the seccomp profile for exec $exec', ({ exec, known }) => {
  const profile = buildSeccompProfile({ exec });

  test('means the same as the stored profile that Node works with', () => {
    const pinned = JSON.parse(readFileSync(new URL(`fixtures/${known}`, import.meta.url), 'utf8'));
    expect(meaningOf(profile)).toEqual(meaningOf(pinned));
  });

  test('leaves no room for a 32-bit call', () => {
    expect(profile.archMap).toEqual([
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
    ]);
  });

  test('has no rule that runc would skip as equal to the default', () => {
    expect(profile.syscalls.map(({ action }) => action)).not.toContain(profile.defaultAction);
  });

  test('has no rule with an error number, which gVisor turns into EPERM', () => {
    expect(profile.syscalls.filter((rule) => 'errnoRet' in rule)).toEqual([]);
    const [clone3] = profile.syscalls.filter(({ names }) => names.includes('clone3'));
    expect(clone3).toMatchObject({ names: ['clone3'], action: 'SCMP_ACT_TRACE' });
  });

  test('has no rule with two conditions on one argument', () => {
    for (const { args = [] } of profile.syscalls) {
      expect(new Set(args.map(({ index }) => index)).size).toBe(args.length);
    }
  });

  test('compares socket families by equality only', () => {
    const conditions = profile.syscalls
      .filter(({ names }) => names.includes('socket'))
      .flatMap(({ args = [] }) => args);
    expect(new Set(conditions.map(({ op }) => op))).toEqual(new Set(['SCMP_CMP_EQ']));
  });

  test('names a call once, or under conditions that exclude each other', () => {
    const unconditional = profile.syscalls
      .filter(({ args }) => args === undefined)
      .flatMap(({ names }) => names);
    expect(new Set(unconditional).size).toBe(unconditional.length);
    for (const name of ['socket', 'clone']) expect(unconditional).not.toContain(name);
  });

  test.each([
    ['tampering with other processes', ['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open']],
    ['page-cache tricks', ['splice', 'tee', 'vmsplice']],
    ['programs without a file', ['memfd_create', 'memfd_secret', 'execveat']],
    ['io_uring and aio', ['io_uring_setup', 'io_uring_enter', 'io_setup', 'io_submit']],
    ['shared memory and queues', ['shmget', 'msgget', 'semget', 'mq_open']],
    ['namespaces and mounts', ['unshare', 'setns', 'mount', 'umount2', 'pivot_root', 'open_tree']],
    ['kernel surface', ['bpf', 'perf_event_open', 'userfaultfd', 'keyctl', 'init_module', 'seccomp']],
    ['changing identity', ['setuid', 'setgid', 'setgroups', 'capset', 'chown', 'fchownat']],
    ['special files', ['mknod', 'mknodat', 'name_to_handle_at', 'open_by_handle_at']],
    ['old ABIs', ['personality', 'modify_ldt', 'socketcall', 'ipc']],
    ['scheduling and flushing the host', ['sched_setscheduler', 'setpriority', 'sync', 'syncfs']],
  ])('does not allow %s', (_what, names) => {
    const allowed = new Set(allowedNames(profile));
    expect(names.filter((name) => allowed.has(name))).toEqual([]);
  });
});

test('only the profile for exec allows a process to be started', () => {
  const starters = ['fork', 'vfork', 'setsid', 'setpgid'];
  expect(
    allowedNames(buildSeccompProfile({ exec: false })).filter((name) => starters.includes(name)),
  ).toEqual([]);
  expect(allowedNames(buildSeccompProfile({ exec: true }))).toEqual(expect.arrayContaining(starters));
});

function allowedNames({ syscalls }: SeccompProfile): string[] {
  return syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names);
}

// Call by call, without comments, order or repetition.
function meaningOf({ syscalls, ...rest }: SeccompProfile) {
  const rules = syscalls.flatMap(({ names, comment, ...rule }) =>
    names.map((name) => JSON.stringify([name, sortKeys(rule)])),
  );
  return { ...rest, rules: [...new Set(rules)].sort() };
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}
