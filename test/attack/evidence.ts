import type { Aftermath, Observation, Target } from '../../src/attack/attack.ts';
import type { Survey } from '../../src/attack/cases/survey.ts';
import {
  IDENTITY_CALLS,
  IPC_CALLS,
  KERNEL_CALLS,
  MOUNT_CALLS,
  NAMESPACE_CALLS,
  PROCESS_CALLS,
  SOCKET_CALLS,
  STATE_CALLS,
  SYSCALLS,
  type Syscall,
  TAMPERING_CALLS,
  THREAD_CALLS,
} from '../../src/attack/syscalls.ts';
import type { Outcome } from '../../src/calls/outcome.ts';
import type { PluginExecutionResult } from '../../src/calls/result.ts';
import { FACTS } from '../engine/sample.ts';
import { GRANT, MIB } from '../spec/sample.ts';

/** For each attack what a judge could be shown: evidence with which it held, and evidence with which it did not. */
export interface Evidence {
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
  /** With which nobody can tell. */
  readonly late?: readonly unknown[];
}

export const HERE: Target = {
  facts: FACTS,
  slowness: 1,
  grant: {
    ...GRANT,
    plugin: 'attacker',
    memoryBytes: 128 * MIB,
    cpuCores: 1,
    timeoutMs: 10_000,
    tmpBytes: 16 * MIB,
  },
};

const RESULT: PluginExecutionResult = {
  executionId: '1',
  plugin: 'attacker',
  version: '1.0.0',
  digest: 'sha256:0',
  outcome: 'OK',
  success: true,
  result: null,
  error: null,
  executionTimeMs: 1,
  phases: { queueMs: 1, createMs: 1, startMs: 1, bootMs: 1, runMs: 1, teardownMs: null },
  usage: { peakMemoryBytes: 60 * MIB, cpuTimeMs: 1 },
  logs: [],
  warnings: [],
  metadata: {},
};

const SEEN: Observation = {
  result: RESULT,
  other: null,
  settledMs: 700,
  goneMs: 900,
  cancelledMs: null,
  cost: { rssBytes: MIB, blockMs: 5 },
  pollution: [],
  here: HERE,
};

export function ok(result: unknown, rest: Partial<Observation> = {}): Observation {
  return { ...SEEN, result: { ...RESULT, result }, ...rest };
}

export function ended(
  outcome: Outcome,
  message = 'what came of it',
  rest: Partial<Observation> = {},
): Observation {
  const error = { code: outcome, message, stack: null, details: null, hint: null };
  return { ...SEEN, result: { ...RESULT, outcome, success: false, error }, ...rest };
}

function saying(seen: Observation, ...messages: readonly string[]): Observation {
  const logs = messages.map((message) => ({ level: 'info', source: 'stdout', message }) as const);
  return { ...seen, result: { ...seen.result, logs } };
}

const THREAD = {
  Uid: '65532\t65532\t65532\t65532',
  Gid: '65532\t65532\t65532\t65532',
  CapInh: '0000000000000000',
  CapPrm: '0000000000000000',
  CapEff: '0000000000000000',
  CapBnd: '0000000000000000',
  CapAmb: '0000000000000000',
  NoNewPrivs: '1',
  Seccomp: '2',
};

const ENV = {
  PATH: '/nonexistent',
  HOME: '/tmp',
  TMPDIR: '/tmp',
  TZ: 'UTC',
  LANG: 'C.UTF-8',
  NODE_OPTIONS: '',
  NODE_EXTRA_CA_CERTS: '',
  LD_PRELOAD: '',
  LD_LIBRARY_PATH: '',
  HOSTNAME: '0123456789ab',
};

const TMP = { path: '/tmp', type: 'tmpfs', options: ['rw', 'nosuid', 'nodev', 'noexec'] };
const ROOT = { path: '/', type: 'overlay', options: ['ro', 'relatime'] };

const SURVEY: Survey = {
  threads: [THREAD, THREAD],
  ids: { uid: 65532, gid: 65532, groups: [65532] },
  env: ENV,
  environ: Object.keys(ENV),
  descriptors: ['pipe:[1]', 'socket:[2]', 'anon_inode:[eventpoll]', '/dev/null'],
  mounts: [
    ROOT,
    TMP,
    { path: '/dev', type: 'tmpfs', options: ['rw', 'nosuid'] },
    { path: '/etc/hosts', type: 'ext4', options: ['ro'] },
    { path: '/proc', type: 'proc', options: ['rw', 'nosuid', 'nodev', 'noexec'] },
    { path: '/proc/kcore', type: 'tmpfs', options: ['rw', 'nosuid'] },
  ],
  devices: ['null', 'urandom', 'pts'],
  processes: ['1'],
  cgroups: ['1:cpu:/', '0::/'],
  interfaces: ['lo'],
  networkDevices: ['lo', 'tunl0'],
  routes: [],
  unixSockets: [],
  limits: {
    'Max open files': '256',
    'Max core file size': '0',
    'Max locked memory': '65536',
    'Max msgqueue size': '0',
  },
  programs: ['/usr/local/bin/node', '/lib64/ld-linux-x86-64.so.2'],
  privileged: [],
  foldersTried: 1000,
  writable: ['/tmp'],
};

/** A survey that differs in each of these ways; and, for every attack on it, an execution that told nothing. */
function surveys(...changes: readonly object[]): Evidence {
  return {
    good: [ok(SURVEY)],
    bad: [
      ...changes.map((change) => ok({ ...SURVEY, ...change })),
      ok(Object.fromEntries(Object.keys(SURVEY).map((key) => [key, 'Error: EACCES: permission denied']))),
      ok(null),
      ended('PLUGIN_ERROR'),
    ],
  };
}

const thread = (change: object) => ({ threads: [THREAD, { ...THREAD, ...change }] });
const mount = (path: string, type: string, ...options: readonly string[]) => ({
  mounts: [...SURVEY.mounts, { path, type, options }],
});

/** Every call answered as it should be, and then one after the other as it should not. */
function answers(calls: readonly Syscall[]): Evidence {
  const all = SYSCALLS.map(({ name, refusals: [returned = 0] }) => ({ name, errno: null, returned }));
  const others = [0, 1234, -14, -22, -9, -97, null];
  const wrong = calls.flatMap(({ name, refusals }) =>
    others
      .filter((returned) => !refusals.includes(returned as number))
      .map((returned) => all.map((answer) => (answer.name === name ? { ...answer, returned } : answer))),
  );
  return {
    good: [ok(all)],
    bad: [...wrong, all.filter(({ name }) => name !== calls[0]?.name), [], null].map((answered) =>
      ok(answered),
    ),
  };
}

function threads(made: number, errno: number) {
  return ok(
    THREAD_CALLS.map(({ name }, index) =>
      index < made ? { name, errno: 0, returned: index + 8 } : { name, errno, returned: -errno },
    ),
  );
}

function codes(names: readonly string[], good: string, ...bad: readonly string[]): Evidence {
  const every = (code: string) => Object.fromEntries(names.map((name) => [name, code]));
  const first = (code: string) => ({ ...every(good), [names[0] ?? '']: code });
  return {
    good: [ok(every(good))],
    bad: [...bad.map((code) => ok(first(code))), ok({}), ok(null), ended('TIMEOUT')],
  };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `target ${index}`);

const EXHAUSTED = {
  bytes: 16 * MIB,
  bytesEnd: 'ENOSPC',
  files: 4090,
  filesEnd: 'ENOSPC',
  sparseEnd: 'EFBIG',
  descriptors: 240,
  descriptorsEnd: 'EMFILE',
};

function exhausted(...changes: readonly object[]): Evidence {
  return {
    good: [ok(EXHAUSTED)],
    bad: [...changes.map((change) => ok({ ...EXHAUSTED, ...change })), ok({}), ended('OUT_OF_MEMORY')],
  };
}

const OUT_OF_MEMORY: Evidence = {
  good: [ended('OUT_OF_MEMORY')],
  bad: [ok('done'), ended('PLUGIN_CRASHED'), ended('TIMEOUT')],
};

const TOO_MUCH_MEMORY = {
  ...ended('OUT_OF_MEMORY'),
  result: { ...ended('OUT_OF_MEMORY').result, usage: { peakMemoryBytes: 129 * MIB, cpuTimeMs: null } },
};

const TIMEOUT: Evidence = {
  good: [ended('TIMEOUT')],
  bad: [
    ok('done'),
    ended('PLUGIN_ERROR'),
    ended('TIMEOUT', '', { settledMs: 2_700 }),
    ended('TIMEOUT', '', { goneMs: 5_700 }),
    ended('TIMEOUT', '', { goneMs: null }),
  ],
  late: [ended('TIMEOUT', '', { settledMs: null })],
};

/** An orchestrator that grew, and one that stood still. */
const COSTS = [
  { rssBytes: 65 * MIB, blockMs: 5 },
  { rssBytes: MIB, blockMs: 101 },
] as const;

const LIMITED: Evidence = {
  good: [ended('OUTPUT_LIMIT')],
  bad: [
    ok('done'),
    ended('TIMEOUT'),
    ended('OUT_OF_MEMORY'),
    ...COSTS.map((cost) => ended('OUTPUT_LIMIT', '', { cost })),
  ],
};

const CHEAP_FLOOD: Evidence = {
  good: [ended('TIMEOUT')],
  bad: [
    ok('done'),
    ended('OUTPUT_LIMIT'),
    ended('OUT_OF_MEMORY'),
    ...COSTS.map((cost) => ended('TIMEOUT', '', { cost })),
  ],
};

const FAULT: Evidence = {
  good: [ended('PROTOCOL_ERROR')],
  bad: [
    ok(1),
    ended('TIMEOUT'),
    ended('INTERNAL'),
    ended('PROTOCOL_ERROR', '', { pollution: ['lurkboxPolluted'] }),
    { ...SEEN, result: { ...ended('PROTOCOL_ERROR').result, result: 1 } },
  ],
};

const WITH_PROTO: unknown = JSON.parse('{"__proto__":{"lurkboxPolluted":1}}');

function answered(result: string): Evidence {
  return {
    good: [ok(result)],
    bad: [
      ok('another'),
      ok(null),
      ended('TIMEOUT'),
      ended('PROTOCOL_ERROR'),
      { ...SEEN, result: { ...RESULT, result, plugin: 'other' } },
      { ...SEEN, result: { ...RESULT, result, success: false } },
    ],
  };
}

function without(outcome: Outcome): Evidence {
  const others: Outcome[] = ['NO_RESULT', 'TIMEOUT', 'PLUGIN_CRASHED', 'INTERNAL'];
  return {
    good: [ended(outcome)],
    bad: [
      ok('half'),
      { ...SEEN, result: { ...ended(outcome).result, result: 'half' } },
      ...others.filter((other) => other !== outcome).map((other) => ended(other)),
    ],
  };
}

const FOUND = {
  marks: [],
  tmp: [],
  processes: ['1'],
  hostname: 'bbbbbbbbbbbb',
  connections: { 'a port': 'ECONNREFUSED', 'an abstract socket': 'ECONNREFUSED', 'a socket': 'ENOENT' },
};

function found(other: PluginExecutionResult, ...changes: readonly object[]): Evidence {
  return {
    good: [ok(FOUND, { other })],
    bad: [
      ...changes.map((change) => ok({ ...FOUND, ...change }, { other })),
      ok(FOUND),
      ok(FOUND, { other: ended('PLUGIN_ERROR').result }),
      ended('PLUGIN_ERROR', '', { other }),
    ],
  };
}

const MARKS = [
  { marks: ['/tmp'] },
  { tmp: ['lurkbox-was-here'] },
  { processes: ['1', '9'] },
  { connections: { ...FOUND.connections, 'a port': 'connected' } },
  { connections: { ...FOUND.connections, 'an abstract socket': 'connected' } },
];

const looks = (own: object, other: object): object => ({ own: ok(own).result, other: ok(other).result });

const AFTERMATH: Aftermath = {
  results: [RESULT, { ...RESULT, executionId: '2', phases: { ...RESULT.phases, startMs: null } }],
  calls: 2,
  left: [],
  starts: { 1: 1 },
  touched: [],
  others: 3,
};

function aftermath(...changes: readonly object[]): Evidence {
  return { good: [AFTERMATH], bad: changes.map((change) => ({ ...AFTERMATH, ...change })) };
}

const REFUSED_PROGRAMS = ['spawn', 'fork', 'cluster'];

export const EVIDENCE: Readonly<Record<string, Evidence>> = {
  'posture-rights': surveys(
    { threads: [THREAD] },
    thread({ CapEff: '0000000000000001' }),
    thread({ CapBnd: '00000000a80425fb' }),
    thread({ CapAmb: '0000000000000400' }),
    thread({ CapEff: undefined }),
    thread({ NoNewPrivs: '0' }),
    thread({ Seccomp: '0' }),
    thread({ Seccomp: '1' }),
    thread({ Uid: '65532\t0\t65532\t65532' }),
    thread({ Gid: '0\t0\t0\t0' }),
  ),
  'posture-user': surveys(
    { ids: { uid: 0, gid: 65532, groups: [] } },
    { ids: { uid: 65532, gid: 0, groups: [] } },
    { ids: { uid: 65532, gid: 65532, groups: [65532, 998] } },
  ),
  'posture-environment': surveys(
    { env: { ...ENV, AWS_SECRET_ACCESS_KEY: 'x' } },
    { env: { ...ENV, NODE_OPTIONS: '--require /plugin/x' } },
    { env: { ...ENV, HOSTNAME: 'the-host' } },
    { env: { PATH: '/nonexistent' } },
    { environ: [...SURVEY.environ, 'TAKEN_AWAY'] },
  ),
  'posture-descriptors': surveys(
    { descriptors: ['/var/lib/docker/overlay2'] },
    { descriptors: ['pipe:[1]', '/sys/fs/cgroup'] },
  ),
  'posture-mounts': surveys(
    mount('/mnt/data', 'ext4', 'ro'),
    mount('/etc/hosts', 'ext4', 'rw'),
    mount('/run/docker.sock', 'ext4', 'ro'),
    mount('/dev/sda', 'devtmpfs', 'rw'),
  ),
  'posture-noexec': surveys(
    mount('/scratch', 'tmpfs', 'rw', 'nosuid', 'nodev'),
    { mounts: [ROOT, { ...TMP, options: ['rw', 'nosuid', 'nodev'] }] },
    { mounts: [ROOT] },
    { mounts: [{ ...ROOT, options: ['rw'] }, TMP] },
  ),
  'posture-read-only': surveys({ writable: ['/tmp', '/plugin'] }, { writable: [] }, { foldersTried: 2 }),
  'posture-programs': surveys(
    { programs: [...SURVEY.programs, '/bin/busybox'] },
    { programs: [] },
    { privileged: ['/bin/su'] },
  ),
  'posture-devices': surveys(
    { devices: ['null', 'sda'] },
    { devices: ['null', 'shm'] },
    { devices: ['null', 'kvm'] },
    { devices: [] },
  ),
  'posture-alone': surveys(
    { processes: ['1', '2'] },
    { processes: [] },
    { cgroups: ['0::/docker/0123'] },
    { cgroups: ['0::/../../init.scope'] },
  ),
  'posture-limits': surveys(
    { limits: { ...SURVEY.limits, 'Max open files': '1048576' } },
    { limits: { ...SURVEY.limits, 'Max core file size': 'unlimited' } },
    { limits: { ...SURVEY.limits, 'Max locked memory': 'unlimited' } },
    { limits: { ...SURVEY.limits, 'Max msgqueue size': '819200' } },
    { limits: {} },
  ),
  'posture-network': surveys(
    { interfaces: ['lo', 'eth0'] },
    { networkDevices: ['lo', 'eth0'] },
    { routes: ['eth0 00000000'] },
  ),
  'posture-sockets': surveys({ unixSockets: ['@/containerd-shim/x'] }, { unixSockets: ['/run/dbus'] }),
  'programs-start': codes(REFUSED_PROGRAMS, 'EPERM', 'started', 'undefined', 'EAGAIN'),
  'programs-worker': codes(['spawnSync in a worker'], 'EPERM', 'started'),
  'programs-binding': {
    good: [ok({ error: -1 }), ok({ thrown: 'Error: No such binding: No such module' })],
    bad: [ok({ error: 0 }), ok({ error: -2 }), ok({ thrown: 'Error: other' }), ok({}), ended('TIMEOUT')],
  },
  'programs-replace': {
    good: [saying(ended('NO_RESULT'), 'second Node, uid 65532, spawn EPERM')],
    bad: [
      ended('NO_RESULT'),
      saying(ended('NO_RESULT'), 'second Node, uid 65532, spawn started'),
      saying(ended('NO_RESULT'), 'second Node, uid 0, spawn EPERM'),
      ok(null),
    ],
  },
  'programs-own': {
    good: [saying(ended('PLUGIN_CRASHED'), 'process.execve failed with error code EACCES')],
    bad: [
      saying(ended('PLUGIN_CRASHED'), 'EACCES', 'it ran'),
      ended('PLUGIN_CRASHED'),
      saying(ended('NO_RESULT'), 'it ran'),
    ],
  },
  'programs-library': {
    good: [ok('Error: /tmp/native.node: failed to map segment from shared object')],
    bad: [ok('loaded'), ok('Error: Module did not self-register'), ended('PLUGIN_CRASHED')],
  },
  'programs-user': codes(['setuid', 'chown'], 'EPERM', 'done'),
  'programs-signals': codes(['2', '3'], 'ESRCH', 'sent'),
  'kernel-mounts': answers(MOUNT_CALLS),
  'kernel-processes': answers(PROCESS_CALLS),
  'kernel-namespaces': answers(NAMESPACE_CALLS),
  'kernel-tampering': answers(TAMPERING_CALLS),
  'kernel-surface': answers(KERNEL_CALLS),
  'kernel-ipc': answers(IPC_CALLS),
  'kernel-identity': answers(IDENTITY_CALLS),
  'kernel-sockets': answers(SOCKET_CALLS),
  'kernel-state': answers(STATE_CALLS),
  ...Object.fromEntries(
    ['kernel-int80', 'kernel-x32'].map((id) => [
      id,
      {
        good: [
          ok({ tried: true, cameBack: false, returned: null }),
          ok({ tried: true, cameBack: true, returned: -38 }),
          ended('PLUGIN_CRASHED'),
        ],
        bad: [
          ok({ tried: true, cameBack: true, returned: 1 }),
          ok({ tried: true, cameBack: true, returned: null }),
          ok({ tried: true, cameBack: false, returned: 1 }),
          ended('PLUGIN_CRASHED', '', { settledMs: null }),
          ended('TIMEOUT'),
        ],
        late: [ok({ tried: false, cameBack: false, returned: null })],
      },
    ]),
  ),
  'kernel-threads': {
    good: [threads(57, 11)],
    bad: [
      threads(512, 11),
      threads(64, 11),
      threads(0, 11),
      threads(57, 12),
      ok([]),
      ended('PLUGIN_CRASHED'),
    ],
  },
  'network-hosts': codes(numbered(9), 'ENETUNREACH', 'connected', 'no answer', 'ECONNREFUSED', 'ECONNRESET'),
  'network-names': codes(numbered(8), 'EAI_AGAIN', 'answered', 'sent'),
  'network-engine': codes(numbered(14), 'ENETUNREACH', 'connected', 'no answer', 'ECONNREFUSED'),
  'network-sockets': codes(numbered(10), 'ENOENT', 'connected', 'no answer'),
  'limits-tmp': exhausted(
    { bytes: 17 * MIB },
    { bytesEnd: 'no end' },
    { bytesEnd: 'EFBIG' },
    { sparseEnd: 'no end' },
  ),
  'limits-files': exhausted({ files: 4097 }, { filesEnd: 'no end' }),
  'limits-descriptors': exhausted({ descriptors: 257 }, { descriptorsEnd: 'no end' }),
  'limits-memory': { ...OUT_OF_MEMORY, bad: [...OUT_OF_MEMORY.bad, TOO_MUCH_MEMORY] },
  'limits-memory-files': { ...OUT_OF_MEMORY, bad: [...OUT_OF_MEMORY.bad, TOO_MUCH_MEMORY] },
  'limits-heap': OUT_OF_MEMORY,
  'limits-cpu': {
    good: [ok({ cores: 1.02 })],
    bad: [ok({ cores: 1.9 }), ok({ cores: 0 }), ok({}), ended('TIMEOUT')],
  },
  'memory-connections': {
    good: [ok({ bytes: 4 * MIB, buffer: 'EPERM' })],
    bad: [ok({ bytes: 65 * MIB, buffer: 'EPERM' }), ok({ bytes: 0 }), ok(null), ended('TIMEOUT')],
  },
  'memory-buffers': {
    good: [ok({ bytes: 0, buffer: 'ERR_SOCKET_BUFFER_SIZE' })],
    bad: [ok({ bytes: 0, buffer: 425_984 }), ok({}), ok(null), ended('TIMEOUT')],
  },
  'deadlines-burn': TIMEOUT,
  'deadlines-wait': TIMEOUT,
  'deadlines-progress': TIMEOUT,
  'deadlines-drip': TIMEOUT,
  'deadlines-regexp': TIMEOUT,
  'deadlines-cancel': {
    good: [ended('CANCELLED', '', { cancelledMs: 10 })],
    bad: [
      ended('CANCELLED'),
      ended('CANCELLED', '', { cancelledMs: 2_100 }),
      ended('CANCELLED', '', { cancelledMs: 10, goneMs: null }),
      ended('CANCELLED', '', { cancelledMs: 10, settledMs: 100, goneMs: 5_200 }),
      ended('TIMEOUT', '', { cancelledMs: 10 }),
    ],
  },
  'output-flood': CHEAP_FLOOD,
  'output-line': CHEAP_FLOOD,
  'output-short-lines': CHEAP_FLOOD,
  'output-record': LIMITED,
  'output-records': CHEAP_FLOOD,
  'output-values': {
    good: [ended('PROTOCOL_ERROR'), ended('OUTPUT_LIMIT')],
    bad: [ok([0]), ended('TIMEOUT'), ...COSTS.map((cost) => ended('PROTOCOL_ERROR', '', { cost }))],
  },
  'output-errors': {
    good: [{ ...SEEN, result: { ...RESULT, result: 'done', warnings: ['lines were dropped'] } }],
    bad: [
      ok('done'),
      { ...SEEN, result: { ...RESULT, result: null, warnings: ['lines were dropped'] } },
      ...COSTS.map((cost) => ({
        ...SEEN,
        cost,
        result: { ...RESULT, result: 'done', warnings: ['lines were dropped'] },
      })),
      ended('OUTPUT_LIMIT'),
    ],
  },
  'protocol-garbage': FAULT,
  'protocol-utf8': FAULT,
  'protocol-deep': FAULT,
  'protocol-proto': {
    good: [ok(WITH_PROTO)],
    bad: [
      ok({}),
      ok(null),
      ended('TIMEOUT'),
      ended('PROTOCOL_ERROR'),
      { ...ok(WITH_PROTO), pollution: ['lurkboxPolluted'] },
    ],
  },
  'protocol-keys': FAULT,
  'protocol-ready': FAULT,
  'protocol-other': FAULT,
  'protocol-twice': answered('first'),
  'protocol-fields': answered('mine'),
  'protocol-then-burn': answered('kept'),
  'protocol-then-abort': answered('kept'),
  'protocol-half': without('NO_RESULT'),
  'protocol-half-late': without('TIMEOUT'),
  'protocol-replaced': answered('mine'),
  'protocol-crash': without('PLUGIN_CRASHED'),
  'protocol-exit': without('PLUGIN_CRASHED'),
  'isolation-next': found({ ...RESULT, result: { hostname: 'aaaaaaaaaaaa' } }, ...MARKS, {
    hostname: 'aaaaaaaaaaaa',
  }),
  'isolation-beside': found(ended('CANCELLED').result, ...MARKS),
  'tables-shared': {
    good: [
      looks({ watch: 'EMFILE', signals: 101 }, { watch: 'works', signals: 0 }),
      // A larger table than one process can fill.
      looks({ watch: 'works', signals: 101 }, { watch: 'works', signals: 0 }),
    ],
    bad: [
      looks({ watch: 'EMFILE', signals: 101 }, { watch: 'EMFILE', signals: 0 }),
      looks({ watch: 'EMFILE', signals: 101 }, { watch: 'works', signals: 101 }),
      {},
    ],
    late: [
      looks({ watch: 'works', signals: 0 }, { watch: 'works', signals: 0 }),
      { own: ended('BUSY').result, other: RESULT },
    ],
  },
  'controls-weaker': { good: [], bad: [{}, { 'what it is granted': 'created' }] },
  'controls-runtime': {
    good: [
      {
        ...ended('RUNTIME_UNAVAILABLE').result,
        phases: { ...RESULT.phases, startMs: null },
      },
    ],
    bad: [RESULT, ended('RUNTIME_UNAVAILABLE').result, ended('ENGINE_INSECURE').result],
  },
  'controls-policy': { good: [], bad: [{}] },
  'after-outcomes': aftermath(
    { results: [] },
    { calls: 3 },
    { calls: 0, results: [] },
    { results: [RESULT, RESULT] },
    { results: [RESULT, { ...RESULT, executionId: '2', outcome: 'INTERNAL' }] },
    { results: [RESULT, { ...RESULT, executionId: '2', outcome: 'UNHEARD_OF' }] },
  ),
  'after-left': aftermath({ left: ['container lurkbox-1'] }, { left: ['image lurkbox/plugin-x:1'] }),
  'after-others': aftermath({ touched: ['DELETE database'] }),
  'after-starts': {
    ...aftermath({ starts: { 1: 2 } }, { starts: { 1: 1, 2: 2 } }),
    late: [
      { ...AFTERMATH, starts: {} },
      { ...AFTERMATH, results: [] },
    ],
  },
};
