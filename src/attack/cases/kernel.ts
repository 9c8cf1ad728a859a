import {
  type AttackGroup,
  type Attempt,
  HELD,
  type Host,
  heldIf,
  judgeAnswer,
  notCarriedOut,
  type Observation,
  type PluginAttack,
  type Program,
  type Verdict,
} from '../attack.ts';
import { PROBES, rawCallsOnly } from '../probes.ts';
import {
  type LoadSyscallProbeArgs,
  loadSyscallProbe,
  type SyscallAnswer,
  toProbeArgs,
} from '../syscall-probe.ts';
import {
  IDENTITY_CALLS,
  IPC_CALLS,
  KERNEL_CALLS,
  MOUNT_CALLS,
  NAMESPACE_CALLS,
  PROCESS_CALLS,
  REFUSED,
  SOCKET_CALLS,
  STATE_CALLS,
  type Syscall,
  TAMPERING_CALLS,
  THREAD_CALLS,
} from '../syscalls.ts';

interface Door {
  /** Whether the worker got as far as the call. */
  readonly tried: boolean;
  readonly cameBack: boolean;
  readonly returned: number | null;
}

/** Loads a probe of one call in a worker: the kernel may end the thread that makes it, and nobody would be left to tell. */
const tryDoor = async ({ file, answers }: LoadSyscallProbeArgs, host: Host): Promise<Door> => {
  const { existsSync, readFileSync } = process.getBuiltinModule('node:fs');
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.postMessage('trying');
    setTimeout(() => {
      try { process.dlopen({ exports: {} }, workerData); } catch {}
      parentPort.postMessage('back');
    }, 50);`;
  const worker = new Worker(script, { eval: true, workerData: file });
  const said: string[] = [];
  worker.on('message', (message) => said.push(message));
  const deadline = Date.now() + 3000;
  while (!said.includes('trying') && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
  host.progress(0);
  const dead = Date.now() + 2_000;
  while (!said.includes('back') && Date.now() < dead) await new Promise((resolve) => setTimeout(resolve, 10));
  return {
    tried: said.includes('trying'),
    cameBack: said.includes('back'),
    returned: existsSync(answers) ? Number(readFileSync(answers).readBigInt64LE(0)) : null,
  };
};

/** One execution for all calls that answer. */
const CALLS = attemptOf('calls.node');

export const KERNEL: AttackGroup = {
  area: 'The kernel, by raw system calls',
  attacks: [
    calls('kernel-mounts', 'it cannot mount, make devices or reach files past their names', MOUNT_CALLS),
    calls('kernel-processes', 'it cannot make a process, or a program without a file', PROCESS_CALLS),
    calls('kernel-namespaces', 'it cannot make or enter a namespace', NAMESPACE_CALLS),
    calls('kernel-tampering', 'it cannot look into, steer or slow another process', TAMPERING_CALLS),
    calls('kernel-surface', 'it cannot reach the parts of the kernel where holes are found', KERNEL_CALLS),
    calls('kernel-ipc', 'it cannot share memory, semaphores or queues', IPC_CALLS),
    calls('kernel-identity', 'it cannot change its user, its groups or its capabilities', IDENTITY_CALLS),
    calls('kernel-sockets', 'it gets no socket but of the internet, of Unix and for routes', SOCKET_CALLS),
    calls(
      'kernel-state',
      'the kernel says that it is filtered, and that no privilege comes back',
      STATE_CALLS,
    ),
    door('kernel-int80', 'the door for 32-bit programs is shut', 'int80.node'),
    door('kernel-x32', 'the door for x32 programs is shut', 'x32.node'),
    {
      id: 'kernel-threads',
      title: 'a thread bomb stops at the limit of processes and threads',
      promises: ['P6'],
      notHere: rawCallsOnly,
      attempt: attemptOf('threads.node'),
      judge: judgeAnswer(judgeThreads),
    },
  ],
};

function attemptOf(file: keyof typeof PROBES): Attempt {
  return { program: loadSyscallProbe as Program, args: toProbeArgs(`/plugin/${file}`, PROBES[file]) };
}

function calls(id: string, title: string, tried: readonly Syscall[]): PluginAttack {
  return {
    id,
    title: `${title} (${tried.length} calls)`,
    promises: ['P6'],
    notHere: rawCallsOnly,
    attempt: CALLS,
    judge: judgeAnswer((answers: readonly SyscallAnswer[]) => judgeCalls(tried, answers)),
  };
}

function judgeCalls(tried: readonly Syscall[], answers: readonly SyscallAnswer[]): Verdict {
  const byName = new Map(answers.map((answer) => [answer.name, answer]));
  const wrong = tried.filter(({ name, refusals }) => {
    const returned = byName.get(name)?.returned ?? null;
    return returned === null || !refusals.includes(returned);
  });
  return heldIf(
    wrong.length === 0,
    'EPERM of the filter, or what stands in the table of calls',
    wrong.map(({ name }) => `${name}: ${showReturn(byName.get(name)?.returned)}`).join(', '),
  );
}

function showReturn(returned: number | null | undefined): string {
  if (returned === undefined || returned === null) return 'no answer';
  return returned < 0 && returned > -4096 ? `error ${-returned}` : `${returned}`;
}

function door(id: string, title: string, file: 'int80.node' | 'x32.node'): PluginAttack {
  return {
    id,
    title,
    promises: ['P6'],
    notHere: rawCallsOnly,
    attempt: { ...attemptOf(file), program: tryDoor as Program },
    judge: judgeDoor,
  };
}

/** A call that comes back must be refused; one that does not was the end of its thread, or of the process. */
function judgeDoor(seen: Observation): Verdict {
  const expected = 'the end of whoever tried it, or an error';
  if (seen.result.outcome === 'PLUGIN_CRASHED' && seen.settledMs !== null) return HELD;
  return judgeAnswer(({ tried, cameBack, returned }: Door) => {
    if (!tried) return notCarriedOut('the thread that was to try it did not start in time');
    return heldIf(
      cameBack ? REFUSED.includes(returned ?? 0) : returned === null,
      expected,
      JSON.stringify({ tried, cameBack, returned }),
    );
  })(seen);
}

const EAGAIN = 11;

function judgeThreads(answers: readonly SyscallAnswer[], { here }: Observation): Verdict {
  const made = answers.filter(({ errno }) => errno === 0).length;
  const refused = answers.filter(({ errno }) => errno === EAGAIN).length;
  return heldIf(
    made > 0 && made < here.grant.pids && made + refused === answers.length,
    `fewer than ${here.grant.pids} threads, and EAGAIN for the rest of ${THREAD_CALLS.length}`,
    `${made} made, ${refused} refused`,
  );
}
