import {
  type AttackGroup,
  all,
  heldIf,
  judgeOutcome,
  notCarriedOut,
  type Observation,
  type PluginAttack,
  type Program,
  type Verdict,
} from '../attack.ts';
import { scaleTimeout } from '../slowness.ts';

/** Deaf to everything that can be ignored, in several threads, and never yielding. */
const burn = async (_: unknown, host: { progress(fraction: number): void }): Promise<never> => {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGXCPU', 'SIGUSR2'] as const)
    process.on(signal, () => {});
  const workers = [1, 2].map(() => new Worker('for (;;);', { eval: true }));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
  host.progress(0);
  for (;;);
};

const waitForNobody = (_: unknown, host: { progress(fraction: number): void }): never => {
  host.progress(0);
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

/** Says again and again that it is at work. */
const keepSaying = (_: unknown, host: { progress(fraction: number): void }): Promise<never> => {
  setInterval(() => host.progress(0.5), 20);
  return new Promise(() => {});
};

/** A result that never ends, byte by byte. */
const drip = (_: unknown, host: { progress(fraction: number): void }): Promise<never> => {
  const { writeSync } = process.getBuiltinModule('node:fs');
  host.progress(0);
  writeSync(1, '\u001e{"jsonrpc":"2.0","id":1,"result":"');
  setInterval(() => writeSync(1, 'x'), 20);
  return new Promise(() => {});
};

const runRegExp = (_: unknown, host: { progress(fraction: number): void }): boolean => {
  host.progress(0);
  return /^(a+)+$/.test(`${'a'.repeat(60)}!`);
};

/** On a host of the usual speed. */
const DEADLINE_MS = 600;
/** P4: how long after its deadline a call may settle, and its process be there. */
const SETTLED_AFTER_MS = 2_000;
const GONE_AFTER_MS = 5_000;

export const DEADLINES: AttackGroup = {
  area: 'The deadline',
  attacks: [
    timeout(
      'deadlines-burn',
      'threads that burn, deaf to every signal, are ended at the deadline',
      burn as Program,
      true,
    ),
    timeout(
      'deadlines-wait',
      'a process that waits for nobody is ended at the deadline',
      waitForNobody as Program,
    ),
    timeout(
      'deadlines-progress',
      'who keeps saying that it is at work gets no more time',
      keepSaying as Program,
    ),
    timeout('deadlines-drip', 'a result that never ends is ended at the deadline', drip as Program),
    timeout(
      'deadlines-regexp',
      'a regular expression that takes for ever is ended at the deadline',
      runRegExp as Program,
    ),
    {
      id: 'deadlines-cancel',
      title: 'a caller that cancels gets its answer at once, and the burning process ends',
      promises: ['P1', 'P4'],
      attempt: { program: burn as Program, cancelled: true, alone: true },
      judge: judgeOutcome(['CANCELLED'], (seen) =>
        all(
          isWithin('its answer', seen.cancelledMs, SETTLED_AFTER_MS, seen),
          isWithin('the end of its container', seen.goneMs, (seen.settledMs ?? 0) + GONE_AFTER_MS, seen),
        ),
      ),
    },
  ],
};

function timeout(id: string, title: string, program: Program, alone = false): PluginAttack {
  return {
    id,
    title,
    promises: ['P1', 'P4'],
    attempt: { program, timeoutMs: DEADLINE_MS, alone },
    judge: judgeOutcome(['TIMEOUT'], judgeTimes),
  };
}

function judgeTimes(seen: Observation): Verdict {
  const deadlineMs = scaleTimeout(DEADLINE_MS, seen.here);
  return all(
    isWithin('its outcome', seen.settledMs, deadlineMs + SETTLED_AFTER_MS, seen),
    isWithin('the end of its container', seen.goneMs, deadlineMs + GONE_AFTER_MS, seen),
  );
}

/** On a slow host what is late by no more than the host itself is late says nothing. */
function isWithin(
  what: string,
  ms: number | null,
  mostMs: number,
  { here, settledMs }: Observation,
): Verdict {
  if (settledMs === null) return notCarriedOut('its time was over before the program was at work');
  const isLate = ms !== null && ms > mostMs && ms <= mostMs * here.slowness;
  const limit = `${what} within ${Math.round(mostMs)} ms`;
  if (isLate)
    return notCarriedOut(`${limit} cannot be seen on a host this slow: it came after ${Math.round(ms)} ms`);
  return heldIf(ms !== null && ms <= mostMs, limit, ms === null ? 'never' : `after ${Math.round(ms)} ms`);
}
