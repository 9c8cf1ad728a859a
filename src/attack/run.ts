import pLimit from 'p-limit';
import { connectEngine } from '../engine/connect.ts';
import type { Lurkbox } from '../lurkbox.ts';
import type { Grant } from '../policy/grant.ts';
import type {
  AftermathAttack,
  Attack,
  AttackGroup,
  Attempt,
  ControlAttack,
  ControlTarget,
  PluginAttack,
} from './attack.ts';
import { type Attacker, createAttacker } from './attacker.ts';
import { type AttackContext, type ExecutionLog, makeAttempt, measureSlowness } from './attempt.ts';
import { ATTACKS } from './cases/all.ts';
import { createObserver } from './observer.ts';
import { AttackReports, type AttackSum, type OnReport } from './reports.ts';

export interface AttackSummary extends AttackSum {
  /** The OCI runtime that everything ran on. */
  readonly runtime: string;
}

export interface AttackOptions {
  readonly signal?: AbortSignal;
  /** Told of each report as soon as it is known, and of how many there are. */
  readonly onReport?: OnReport;
}

/**
 * Attacks the sandbox of this lurkbox on its engine and under its policy. A plugin that is written for it is executed
 * again and again, in containers like those of any other; it tries what no plugin should be able to do, and what came of
 * that is judged from outside. Takes 10 to 20 s, and leaves nothing, also when it is aborted.
 * @throws LurkboxError when it cannot begin, e.g. `ENGINE_UNAVAILABLE`, and the signal's reason when it is aborted
 */
export function attackEngine(lurkbox: Lurkbox, options: AttackOptions = {}): Promise<AttackSummary> {
  return runAttacks(lurkbox, ATTACKS, options);
}

export interface RunOptions extends AttackOptions {
  /** Laid over the manifest of the attacker: what it is granted then should be seen not to hold. */
  readonly manifest?: object;
}

/** Any attacks, by an attacker that may ask for more. */
export async function runAttacks(
  lurkbox: Lurkbox,
  groups: readonly AttackGroup[],
  { signal = NEVER, onReport = () => {}, manifest = {} }: RunOptions = {},
): Promise<AttackSummary> {
  const startedAt = performance.now();
  const reports = new AttackReports(groups, onReport);
  const facts = await lurkbox.engineFacts();
  const engine = await connectEngine({ env: facts.env });
  await using observer = await createObserver(lurkbox, engine);
  const executions: ExecutionLog = { results: [], calls: 0 };
  const attack = async (): Promise<Grant> => {
    await using attacker = await createAttacker(lurkbox, engine, { signal, manifest });
    const { grant } = attacker.instance;
    const usual: AttackContext = { lurkbox, engine, here: { facts, grant, slowness: 1 }, signal, executions };
    reports.begin(usual.here);
    const context = await atTheSpeedOf(usual, reports);
    if (context !== null) await attackByPlugin(reports, context);
    await attackControls(reports, await toTarget(usual, attacker), signal);
    return grant;
  };
  // What is left is looked at when the attacker is gone too.
  const { plugin, runtime } = await attack();
  const aftermath = { ...executions, ...(await observer.lookAfter(plugin)) };
  for (const judged of reports.open(isAftermath)) reports.judge(judged, () => judged.judge(aftermath), 0);
  return { runtime: runtime ?? facts.defaultRuntime, ...reports.sum(performance.now() - startedAt) };
}

/** `null` where nothing can be executed in time: then no attack of the plugin is carried out. */
async function atTheSpeedOf(context: AttackContext, reports: AttackReports): Promise<AttackContext | null> {
  const startedAt = performance.now();
  try {
    return { ...context, here: { ...context.here, slowness: await measureSlowness(context) } };
  } catch (error) {
    context.signal.throwIfAborted();
    const ms = performance.now() - startedAt;
    for (const attack of reports.open(isByPlugin)) reports.fail(attack, error, ms);
    return null;
  }
}

const NEVER = new AbortController().signal;

/** How many attempts run at once: two cores bear no more without waiting for each other. */
const AT_ONCE = 3;

/** First what may run beside each other, then what measures. */
async function attackByPlugin(reports: AttackReports, context: AttackContext): Promise<void> {
  const attempts = [...Map.groupBy(reports.open(isByPlugin), ({ attempt }) => attempt)];
  const limit = pLimit(AT_ONCE);
  const together = attempts.filter(([{ alone }]) => !alone);
  const settled = await Promise.allSettled(
    together.map(([attempt, attacks]) => limit(() => tryOut(attempt, attacks, reports, context))),
  );
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  for (const [attempt, attacks] of attempts.filter(([{ alone }]) => alone)) {
    await tryOut(attempt, attacks, reports, context);
  }
}

/** Makes one attempt and judges every attack that it is for. */
async function tryOut(
  attempt: Attempt,
  attacks: readonly PluginAttack[],
  reports: AttackReports,
  context: AttackContext,
): Promise<void> {
  context.signal.throwIfAborted();
  const startedAt = performance.now();
  try {
    const seen = await makeAttempt(attempt, context);
    context.signal.throwIfAborted();
    const ms = performance.now() - startedAt;
    for (const attack of attacks) reports.judge(attack, () => attack.judge(seen), ms);
  } catch (error) {
    context.signal.throwIfAborted();
    for (const attack of attacks) reports.fail(attack, error, performance.now() - startedAt);
  }
}

async function attackControls(
  reports: AttackReports,
  target: ControlTarget,
  signal: AbortSignal,
): Promise<void> {
  for (const attack of reports.open(isOfControl)) {
    signal.throwIfAborted();
    const startedAt = performance.now();
    try {
      const evidence = await attack.ask(target);
      reports.judge(attack, () => attack.judge(evidence as never), performance.now() - startedAt);
    } catch (error) {
      reports.fail(attack, error, performance.now() - startedAt);
    }
  }
}

async function toTarget(
  { lurkbox, engine, signal }: AttackContext,
  { instance, image, withManifest }: Attacker,
): Promise<ControlTarget> {
  const { Labels: labels } = await lurkbox.dockerOptions(instance);
  return { lurkbox, engine, instance, image, labels, withManifest, signal };
}

function isByPlugin(attack: Attack): attack is PluginAttack {
  return 'attempt' in attack;
}

function isOfControl(attack: Attack): attack is ControlAttack {
  return 'ask' in attack;
}

function isAftermath(attack: Attack): attack is AftermathAttack {
  return 'after' in attack;
}
