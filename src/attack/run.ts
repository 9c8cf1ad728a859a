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
import { ATTACKS } from './attacks.ts';
import { makeAttempt, measureSlowness, type Roll, type Stage } from './attempt.ts';
import { type AttackSum, Ledger, type OnReport } from './ledger.ts';
import { createOnlooker } from './look-after.ts';

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
  const ledger = new Ledger(groups, onReport);
  const facts = await lurkbox.engineFacts();
  const engine = await connectEngine({ env: facts.env });
  await using onlooker = await createOnlooker(lurkbox, engine);
  const roll: Roll = { results: [], calls: 0 };
  const attack = async (): Promise<Grant> => {
    await using attacker = await createAttacker(lurkbox, engine, { signal, manifest });
    const { grant } = attacker.instance;
    const usual: Stage = { lurkbox, engine, here: { facts, grant, slowness: 1 }, signal, roll };
    ledger.begin(usual.here);
    const stage = await atTheSpeedOf(usual, ledger);
    if (stage !== null) await attackByPlugin(ledger, stage);
    await attackControls(ledger, await toTarget(usual, attacker), signal);
    return grant;
  };
  // What is left is looked at when the attacker is gone too.
  const { plugin, runtime } = await attack();
  const aftermath = { ...roll, ...(await onlooker.lookAfter(plugin)) };
  for (const judged of ledger.open(isAftermath)) ledger.judge(judged, () => judged.judge(aftermath), 0);
  return { runtime: runtime ?? facts.defaultRuntime, ...ledger.sum(performance.now() - startedAt) };
}

/** `null` where nothing can be executed in time: then no attack of the plugin is carried out. */
async function atTheSpeedOf(stage: Stage, ledger: Ledger): Promise<Stage | null> {
  const startedAt = performance.now();
  try {
    return { ...stage, here: { ...stage.here, slowness: await measureSlowness(stage) } };
  } catch (error) {
    stage.signal.throwIfAborted();
    const ms = performance.now() - startedAt;
    for (const attack of ledger.open(isByPlugin)) ledger.fail(attack, error, ms);
    return null;
  }
}

const NEVER = new AbortController().signal;

/** How many attempts run at once: two cores bear no more without waiting for each other. */
const AT_ONCE = 3;

/** First what may run beside each other, then what measures. */
async function attackByPlugin(ledger: Ledger, stage: Stage): Promise<void> {
  const attempts = [...Map.groupBy(ledger.open(isByPlugin), ({ attempt }) => attempt)];
  const limit = pLimit(AT_ONCE);
  const together = attempts.filter(([{ alone }]) => !alone);
  const settled = await Promise.allSettled(
    together.map(([attempt, attacks]) => limit(() => tryOut(attempt, attacks, ledger, stage))),
  );
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  for (const [attempt, attacks] of attempts.filter(([{ alone }]) => alone)) {
    await tryOut(attempt, attacks, ledger, stage);
  }
}

/** Makes one attempt and judges every attack that it is for. */
async function tryOut(
  attempt: Attempt,
  attacks: readonly PluginAttack[],
  ledger: Ledger,
  stage: Stage,
): Promise<void> {
  stage.signal.throwIfAborted();
  const startedAt = performance.now();
  try {
    const seen = await makeAttempt(attempt, stage);
    stage.signal.throwIfAborted();
    const ms = performance.now() - startedAt;
    for (const attack of attacks) ledger.judge(attack, () => attack.judge(seen), ms);
  } catch (error) {
    stage.signal.throwIfAborted();
    for (const attack of attacks) ledger.fail(attack, error, performance.now() - startedAt);
  }
}

async function attackControls(ledger: Ledger, target: ControlTarget, signal: AbortSignal): Promise<void> {
  for (const attack of ledger.open(isOfControl)) {
    signal.throwIfAborted();
    const startedAt = performance.now();
    try {
      const evidence = await attack.ask(target);
      ledger.judge(attack, () => attack.judge(evidence as never), performance.now() - startedAt);
    } catch (error) {
      ledger.fail(attack, error, performance.now() - startedAt);
    }
  }
}

async function toTarget(
  { lurkbox, engine, signal }: Stage,
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
