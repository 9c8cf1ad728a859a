import {
  CLONE_NEW_NAMESPACES,
  CLONE_THREAD,
  EXEC_GROUP,
  MAP_HUGETLB,
  SOCKET_FAMILIES,
  SOCKET_OPTIONS,
  SYSCALL_GROUPS,
} from './seccomp-table.ts';

/** A profile in the form that Docker takes. */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly archMap: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_TRACE';
  readonly args?: readonly SeccompCondition[];
  readonly includes?: { readonly arches: readonly string[] };
  readonly comment?: string;
}

/** Conditions of one rule must be on different arguments: runc reads two on the same one as "either". */
export interface SeccompCondition {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
}

const EPERM = 1;
const AF_UNIX = 1;

/**
 * The seccomp profile of a container, for amd64 and arm64. A list of what is allowed: what is not on it fails with EPERM,
 * and never with a kill, which would make a plugin die of a new version of libc.
 */
export function buildSeccompProfile({ exec }: { exec: boolean }): SeccompProfile {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    // Empty lists shut out the 32-bit calls, which pass by rules on arguments of the 64-bit ones.
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
    ],
    syscalls: [
      ...SYSCALL_GROUPS.map(({ names, reason }) => allow(names, reason)),
      archPrctlRule(),
      clone3Rule(),
      mapRule(),
      ...socketRules(),
      ...socketOptionRules(),
      ...(exec
        ? [namespacelessCloneRule(), allow(EXEC_GROUP.names, EXEC_GROUP.reason)]
        : [threadCloneRule()]),
    ],
  };
}

function allow(names: readonly string[], comment: string, args?: readonly SeccompCondition[]): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args && { args }), comment };
}

function archPrctlRule(): SeccompRule {
  return {
    ...allow(['arch_prctl'], 'libc sets its thread pointer with it'),
    includes: { arches: ['amd64'] },
  };
}

// Its flags are behind a pointer, where no filter can look. ENOSYS makes libc fall back to `clone`; EPERM would not. The
// kernel answers ENOSYS for a tracer that is not there, and so does gVisor, which makes EPERM of every `errnoRet`.
function clone3Rule(): SeccompRule {
  return {
    names: ['clone3'],
    action: 'SCMP_ACT_TRACE',
    comment: 'flags are behind a pointer; ENOSYS, for want of a tracer, makes libc fall back to clone',
  };
}

/** Other protocols of a family are other, less used code of the kernel, and may load a module. */
function socketRules(): SeccompRule[] {
  return [
    ...SOCKET_FAMILIES.flatMap(({ family, protocols, reason }) =>
      protocols === null
        ? [allow(['socket'], reason, [equals(0, family)])]
        : protocols.map((protocol) => allow(['socket'], reason, [equals(0, family), equals(2, protocol)])),
    ),
    // The kernel makes sockets of a family before it finds that they cannot be paired, and those of TIPC can.
    allow(['socketpair'], 'AF_UNIX: pipes of libuv', [equals(0, AF_UNIX)]),
  ];
}

// The kernel reads 32 bits of the level and of the option, the filter compares all 64: a high bit that is set is refused.
function socketOptionRules(): SeccompRule[] {
  return SOCKET_OPTIONS.flatMap(({ level, options, reason }) =>
    options === null
      ? [allow(['setsockopt'], reason, [equals(1, level)])]
      : options.map((option) => allow(['setsockopt'], reason, [equals(1, level), equals(2, option)])),
  );
}

function mapRule(): SeccompRule {
  return allow(['mmap', 'mmap2'], 'map memory, but none of the huge pages that the host has set aside', [
    masked(3, MAP_HUGETLB, 0),
  ]);
}

function threadCloneRule(): SeccompRule {
  return allow(['clone'], 'threads only: with CLONE_THREAD and without any CLONE_NEW*', [
    masked(0, CLONE_NEW_NAMESPACES | CLONE_THREAD, CLONE_THREAD),
  ]);
}

function namespacelessCloneRule(): SeccompRule {
  return allow(['clone'], 'processes and threads, without any CLONE_NEW*', [
    masked(0, CLONE_NEW_NAMESPACES, 0),
  ]);
}

function equals(index: number, value: number): SeccompCondition {
  return { index, value, op: 'SCMP_CMP_EQ' };
}

/** `(argument & mask) == wanted`. */
function masked(index: number, mask: number, wanted: number): SeccompCondition {
  return { index, value: mask, valueTwo: wanted, op: 'SCMP_CMP_MASKED_EQ' };
}
