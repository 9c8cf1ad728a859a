import { setTimeout as delay } from 'node:timers/promises';
import type { PluginExecutionResult } from '../calls/result.ts';
import type { ContainerEngine } from '../engine/engine.ts';
import { LABELS } from '../labels.ts';
import type { Lurkbox } from '../lurkbox.ts';
import { type Attempt, describeEnd, type Observation, type Program, type Target } from './attack.ts';
import { measureCost } from './measure.ts';
import { MOST_SLOWNESS, scaleTimeout, toSlowness } from './slowness.ts';

/** Where attempts are made. */
export interface AttackContext {
  readonly lurkbox: Lurkbox;
  /** A connection of its own, to see for oneself what is there. */
  readonly engine: ContainerEngine;
  readonly here: Target;
  readonly signal: AbortSignal;
  readonly executions: ExecutionLog;
}

/** Every execution that was asked for, and the result of each. */
export interface ExecutionLog {
  readonly results: PluginExecutionResult[];
  calls: number;
}

/** How much slower than usual this host is; by a call that does nothing. */
export async function measureSlowness(context: AttackContext): Promise<number> {
  const startedAt = performance.now();
  const { result } = await execute((() => null) as Program, null, context, {});
  if (result.outcome === 'OK') return toSlowness(performance.now() - startedAt);
  throw new Error(`not even a call that does nothing came to its end: ${describeEnd(result)}`);
}

/** Executes the attacker and looks at what comes of it. */
export async function makeAttempt(attempt: Attempt, context: AttackContext): Promise<Observation> {
  const { program, args, before, beside, timeoutMs, cancelled = false } = attempt;
  const earlier = before && (await execute(before, args, context, {}));
  await using neighbour = await startNeighbour(beside, args, context);
  const cost = measureCost();
  const run = await execute(program, args, context, { timeoutMs, cancelled });
  const measured = cost.stop();
  return {
    result: run.result,
    other: earlier?.result ?? (await neighbour.end()),
    settledMs: since(run.beganAt, run.settledAt),
    goneMs: since(run.beganAt, run.goneAt),
    cancelledMs: since(run.cancelledAt, run.settledAt),
    cost: measured,
    pollution: namesOfAllObjects(),
    here: run.result.outcome === 'TIMEOUT' ? await lookAgain(context) : context.here,
  };
}

/** What was fast at the beginning may be slow by now. */
async function lookAgain(context: AttackContext): Promise<Target> {
  const slowness = await measureSlowness(context).catch(() => MOST_SLOWNESS);
  return { ...context.here, slowness: Math.max(slowness, context.here.slowness) };
}

interface Executed {
  readonly result: PluginExecutionResult;
  readonly beganAt: number | null;
  readonly cancelledAt: number | null;
  readonly settledAt: number;
  readonly goneAt: number | null;
}

interface ExecuteOptions {
  readonly timeoutMs?: number | undefined;
  readonly cancelled?: boolean;
  readonly signal?: AbortSignal;
  readonly onBegin?: () => void;
}

async function execute(
  program: Program,
  args: unknown,
  context: AttackContext,
  { timeoutMs, cancelled, signal, onBegin }: ExecuteOptions,
): Promise<Executed> {
  const { lurkbox, here } = context;
  const cancellation = new AbortController();
  let beganAt: number | null = null;
  let cancelledAt: number | null = null;
  const onProgress = (): void => {
    if (beganAt !== null) return;
    beganAt = performance.now();
    onBegin?.();
    if (!cancelled) return;
    cancelledAt = performance.now();
    cancellation.abort();
  };
  context.executions.calls++;
  const result = await lurkbox.plugins.executePlugin(
    here.grant.plugin,
    { inputData: { program: `(${program})`, args: (args ?? null) as never } },
    {
      signal: AbortSignal.any([
        context.signal,
        cancellation.signal,
        ...(signal === undefined ? [] : [signal]),
      ]),
      onProgress,
      ...(timeoutMs === undefined ? {} : { timeoutMs: scaleTimeout(timeoutMs, here) }),
    },
  );
  const settledAt = performance.now();
  context.executions.results.push(result);
  const goneAt = await untilGone(result.executionId, context);
  return { result, beganAt, cancelledAt, settledAt, goneAt };
}

/** Longer than any promise; who is still there then is told of. */
const GONE_DEADLINE_MS = 10_000;
const LOOK_AGAIN_MS = 30;

/** When the engine knew no container of the execution any more; `null` when it still does. */
async function untilGone(executionId: string, { engine, here }: AttackContext): Promise<number | null> {
  const deadline = performance.now() + GONE_DEADLINE_MS * here.slowness;
  for (;;) {
    const containers = await engine.listContainers(`${LABELS.execution}=${executionId}`);
    if (containers.length === 0) return performance.now();
    if (performance.now() > deadline) return null;
    await delay(LOOK_AGAIN_MS);
  }
}

interface Neighbour extends AsyncDisposable {
  /** Cancels it; fine to call twice. */
  end(): Promise<PluginExecutionResult | null>;
}

/** Returns when the program is at work, or has ended before it was. */
async function startNeighbour(
  program: Program | undefined,
  args: unknown,
  context: AttackContext,
): Promise<Neighbour> {
  const controller = new AbortController();
  const began = Promise.withResolvers<void>();
  const running =
    program && execute(program, args, context, { signal: controller.signal, onBegin: began.resolve });
  if (running !== undefined) await Promise.race([began.promise, running]);
  const end = async (): Promise<PluginExecutionResult | null> => {
    controller.abort();
    return (await running)?.result ?? null;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end()) };
}

function since(start: number | null, end: number | null): number | null {
  return start === null || end === null ? null : end - start;
}

/** Every object has what its prototype has; there is nothing that a loop over an empty one would find. */
function namesOfAllObjects(): string[] {
  const names: string[] = [];
  for (const name in {}) names.push(name);
  return names;
}
