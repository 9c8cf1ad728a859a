import type { PluginExecutionResult } from '../calls/result.ts';
import type { ContainerEngine, EngineFacts } from '../engine/engine.ts';
import type { Lurkbox } from '../lurkbox.ts';
import type { Grant } from '../policy/grant.ts';
import { escapeControls } from '../printable.ts';
import type { PromiseId } from '../promises.ts';
import type { PluginInstance } from '../versions/version-grants.ts';

/** What a plugin is given beside its context. */
export interface Host {
  log(level: string, message: unknown): void;
  progress(fraction: number, message?: string): void;
  readonly signal: AbortSignal;
}

/**
 * A function that is sent into a container as text and called there: it sees its arguments and the globals of that Node,
 * and nothing around it. Node's modules it gets by `process.getBuiltinModule`.
 */
export type Program<Args = never> = (args: Args, host: Host) => unknown;

/** One execution of the attacker. Several attacks may be judged by one and the same. */
export interface Attempt {
  readonly program: Program;
  /** Plain JSON. */
  readonly args?: unknown;
  /** @default what the plugin is granted */
  readonly timeoutMs?: number;
  /** Cancelled by the caller as soon as the program says that it is at work, by its first progress. */
  readonly cancelled?: boolean;
  /** Runs to its end before, in an execution of its own. */
  readonly before?: Program;
  /** Is at work at the same time, in an execution of its own that is cancelled afterwards. */
  readonly beside?: Program;
  /** Nothing else runs at the same time: it measures the orchestrator, or time. */
  readonly alone?: boolean;
}

/** What came of an attempt, seen from outside. */
export interface Observation {
  readonly result: PluginExecutionResult;
  /** Of what ran before or beside it. */
  readonly other: PluginExecutionResult | null;
  /** From its first progress until the call settled; `null` without progress. */
  readonly settledMs: number | null;
  /** Likewise, until the engine no longer knew the container; `null` also when it still does. */
  readonly goneMs: number | null;
  /** From when the caller cancelled it until the call settled. */
  readonly cancelledMs: number | null;
  /** How far the memory of the orchestrator grew, and the most CPU time it took without a pause. */
  readonly cost: { readonly rssBytes: number; readonly blockMs: number };
  /** Names that every object of the orchestrator has since. */
  readonly pollution: readonly string[];
  readonly here: Target;
}

/** Where the attacks are made. */
export interface Target {
  readonly facts: EngineFacts;
  readonly grant: Grant;
  /** How many times longer than usual a call takes here; 1 where it is usual. What waits for something waits so much longer. */
  readonly slowness: number;
}

/** What lurkbox is asked with. */
export interface ControlTarget {
  readonly lurkbox: Lurkbox;
  readonly engine: ContainerEngine;
  readonly instance: PluginInstance;
  /** Id of the attacker's image. */
  readonly image: string;
  /** Labels of what this lurkbox makes, so that nothing is lost should one of these be made. */
  readonly labels: Readonly<Record<string, string>>;
  /** Writes a folder with the attacker under another manifest. */
  readonly withManifest: (changes: object) => Promise<string>;
  readonly signal: AbortSignal;
}

/** What is there when all attacks are over, and what the engine told meanwhile. */
export interface Aftermath {
  /** Every execution of the attacker, and how many were asked for. */
  readonly results: readonly PluginExecutionResult[];
  readonly calls: number;
  /** Containers, networks, images and files of the attacker that are still there. */
  readonly left: readonly string[];
  /** Execution → how many containers of it the engine started. */
  readonly starts: Readonly<Record<string, number>>;
  /** Calls to the engine that changed a container which is not of lurkbox. */
  readonly touched: readonly string[];
  /** How many containers of others there were. */
  readonly others: number;
}

export type Verdict =
  | { readonly held: true }
  | { readonly held: false; readonly expected: string; readonly got: string }
  /** There was nothing to judge. */
  | { readonly held: null; readonly reason: string }
  /** It was not carried out, or too late to tell: neither did it hold, nor did it fall. */
  | { readonly held: 'unknown'; readonly reason: string };

interface AttackHead {
  readonly id: string;
  /** A plain sentence: what the attacker tries, and what comes of it when it holds. */
  readonly title: string;
  readonly promises: readonly [PromiseId, ...PromiseId[]];
  /** Why it cannot be tried here, where it cannot. */
  readonly notHere?: (here: Target) => string | null;
}

/** Executes the attacker and judges what was seen. */
export interface PluginAttack extends AttackHead {
  readonly attempt: Attempt;
  readonly judge: (seen: Observation) => Verdict;
}

/** Asks lurkbox itself for something that it must refuse. */
export interface ControlAttack extends AttackHead {
  readonly ask: (target: ControlTarget) => Promise<unknown>;
  readonly judge: (evidence: never) => Verdict;
}

/** Judges what all of the attacks together left behind. */
export interface AftermathAttack extends AttackHead {
  readonly judge: (aftermath: Aftermath) => Verdict;
  readonly after: true;
}

export type Attack = PluginAttack | ControlAttack | AftermathAttack;

/** Attacks on one thing, told together. */
export interface AttackGroup {
  readonly area: string;
  readonly attacks: readonly Attack[];
}

export const HELD: Verdict = { held: true };

export function notHeld(expected: string, got: string): Verdict {
  return { held: false, expected, got: cut(got) };
}

export function heldIf(held: boolean, expected: string, got: string): Verdict {
  return held ? HELD : notHeld(expected, got);
}

export function notCarriedOut(reason: string): Verdict {
  return { held: 'unknown', reason: cut(reason) };
}

/** Holds when all of them do; tells of each that does not, and else of the first that nobody can know. */
export function all(...verdicts: readonly Verdict[]): Verdict {
  const broken = verdicts.filter((verdict) => verdict.held === false);
  if (broken.length === 0) return verdicts.find((verdict) => verdict.held === 'unknown') ?? HELD;
  const join = (key: 'expected' | 'got'): string => broken.map((verdict) => verdict[key]).join('; ');
  return notHeld(join('expected'), join('got'));
}

/** Judges what a program answered; an execution that ended otherwise is not held. */
export function judgeAnswer<Answer>(
  judge: (answer: Answer, seen: Observation) => Verdict,
): (seen: Observation) => Verdict {
  return (seen) =>
    seen.result.outcome === 'OK'
      ? judge(seen.result.result as Answer, seen)
      : (findLate(seen.result, seen.here) ??
        notHeld('the program to tell what came of it', describeEnd(seen.result)));
}

/** Judges the outcome, and then what else there is. */
export function judgeOutcome(
  outcomes: readonly PluginExecutionResult['outcome'][],
  judge: (seen: Observation) => Verdict = () => HELD,
): (seen: Observation) => Verdict {
  return (seen) =>
    outcomes.includes(seen.result.outcome)
      ? judge(seen)
      : (findLate(seen.result, seen.here) ?? notHeld(outcomes.join(' or '), describeEnd(seen.result)));
}

/** Of the host and its engine, and not of what the attacker did: no evidence for or against it. */
const OF_THE_HOST: readonly PluginExecutionResult['outcome'][] = [
  'ENGINE_TIMEOUT',
  'ENGINE_LOST',
  'ENGINE_UNAVAILABLE',
  'CONTAINER_VANISHED',
  'HOST_RESOURCES',
  'IMAGE_MISSING',
  'BUSY',
];

/** A host this many times slower than usual explains a call that did not come to its end. */
const SLOW = 2;
/** Until the plugin is there; on a host that is not too busy it takes a few hundred. */
const SLOW_START_MS = 2_000;

/**
 * Whether an execution ended before its attack did: with an outcome of the host, or by its deadline where the host is
 * slow. Where it is not, who ran out of time was not ended by what should have ended him.
 */
export function findLate(result: PluginExecutionResult, { slowness }: Target): Verdict | null {
  if (OF_THE_HOST.includes(result.outcome)) return notCarriedOut(describeEnd(result));
  if (result.outcome !== 'TIMEOUT') return null;
  const { createMs, startMs, bootMs } = result.phases;
  const startedMs = (createMs ?? 0) + (startMs ?? 0) + (bootMs ?? 0);
  return slowness > SLOW || startedMs > SLOW_START_MS
    ? notCarriedOut('it was not at its end when its time was over, and the host is slow')
    : null;
}

export function describeEnd({ outcome, result, error }: PluginExecutionResult): string {
  return outcome === 'OK' ? `OK with ${JSON.stringify(result)}` : `${outcome}: ${error?.message ?? ''}`;
}

const MAX_QUOTED_CHARS = 400;

// A plugin's words among them: they stand in a terminal later.
function cut(text: string): string {
  return escapeControls(text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}…` : text);
}
