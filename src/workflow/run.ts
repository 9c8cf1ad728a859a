import type { ExecuteOptions } from '../calls/call.ts';
import type { ExecutionContextConfig, ExecutionContextOptions } from '../calls/context.ts';
import { readContext } from '../calls/read-context.ts';
import type { PluginExecutionResult } from '../calls/result.ts';
import { LurkboxError } from '../errors.ts';
import { cutWhole, escapeControls, quoteValue } from '../printable.ts';
import { holds } from './condition.ts';
import { Forecast } from './forecast.ts';
import { buildGraph, type Graph, sourcesOf, testedBy } from './graph.ts';
import { parseWorkflow } from './load.ts';
import type { StepResult, WorkflowOutcome, WorkflowProgress, WorkflowResult } from './result.ts';
import type { Step, Workflow, WorkflowDocument } from './schema.ts';
import { settledSoon } from './settled-soon.ts';
import { type Given, makeOutput, takeValues } from './take.ts';
import { Values } from './values.ts';

/** What a workflow needs of a `PluginManager`. */
export interface WorkflowPlugins {
  executePlugin(
    name: string,
    context?: ExecutionContextOptions,
    options?: ExecuteOptions,
  ): Promise<PluginExecutionResult>;
  prewarm(name: string, size: number): Promise<number>;
  /** @deprecated Named `prewarm`. Called until 2.0 where an object has no `prewarm`. */
  hint?(name: string, size: number): Promise<number>;
}

export interface WorkflowOptions {
  readonly plugins: WorkflowPlugins;
  /**
   * As for a plugin: its `inputData` is the input of the workflow, an object, and all else is handed to every step.
   * @default {}
   */
  readonly context?: ExecutionContextOptions;
  /** Aborting settles the workflow as `CANCELLED`; what runs is cancelled. */
  readonly signal?: AbortSignal;
  /** Told of every beginning and end of a step, and what plugins say of their progress. What it throws is ignored. */
  readonly onProgress?: (progress: WorkflowProgress) => void;
}

const MAX_REASON_CHARS = 500;

/**
 * Runs a workflow. Resolves with one result, however its steps end.
 * @throws LurkboxError `WORKFLOW_INVALID` or `CONTEXT_INVALID` with every problem, before any step
 */
export async function runWorkflow(
  workflow: WorkflowDocument | Workflow,
  options: WorkflowOptions,
): Promise<WorkflowResult> {
  const parsed = parseWorkflow(workflow);
  const context = await readContext(options.context ?? {});
  const input = { ...parsed.input, ...toInput(context.inputData) };
  return new WorkflowRun(parsed, context, input, options).run();
}

/** Objects that were written for 1.0 have it under its former name. */
function askToPrewarm(
  plugins: Partial<Pick<WorkflowPlugins, 'prewarm' | 'hint'>>,
  plugin: string,
  size: number,
): Promise<number> | undefined {
  return plugins.prewarm === undefined ? plugins.hint?.(plugin, size) : plugins.prewarm(plugin, size);
}

function toInput(inputData: unknown): object {
  if (typeof inputData === 'object' && inputData !== null && !Array.isArray(inputData)) return inputData;
  throw new LurkboxError('CONTEXT_INVALID', 'The context is not one that a workflow can be run with.', {
    problems: [{ path: 'inputData', message: `expected an object, got ${quoteValue(inputData)}` }],
  });
}

/** How a step ends, but for its times. */
type Ending = Pick<StepResult, 'status' | 'reason' | 'result'>;

class WorkflowRun {
  readonly #workflow: Workflow;
  readonly #context: ExecutionContextConfig;
  readonly #options: WorkflowOptions;
  readonly #graph: Graph;
  readonly #values: Values;
  readonly #forecast: Forecast;
  readonly #beganAt = performance.now();
  /** Aborted when the workflow ends before its steps do. */
  readonly #stop = new AbortController();
  readonly #startedMs = new Map<string, number>();
  readonly #results = new Map<string, StepResult>();
  /** Steps that take all that depend on them along when they are skipped. */
  readonly #takingAlong = new Set<string>();
  #end: { readonly outcome: WorkflowOutcome; readonly reason: string } | null = null;

  constructor(workflow: Workflow, context: ExecutionContextConfig, input: object, options: WorkflowOptions) {
    this.#workflow = workflow;
    this.#context = context;
    this.#options = options;
    this.#graph = buildGraph(workflow);
    this.#values = new Values(input, workflow.steps, this.#results);
    this.#forecast = new Forecast(async (plugin, size) => askToPrewarm(options.plugins, plugin, size));
  }

  async run(): Promise<WorkflowResult> {
    const { timeout_seconds: seconds } = this.#workflow;
    const { signal } = this.#options;
    const timer = setTimeout(
      () => this.#endEarly('TIMEOUT', `The workflow was not over within ${seconds} s.`),
      seconds * 1000,
    );
    const cancel = () => this.#endEarly('CANCELLED', 'The caller aborted.');
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      await this.#runSteps();
      return await this.#report();
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** The first reason wins. */
  #endEarly(outcome: WorkflowOutcome, reason: string): void {
    this.#end ??= { outcome, reason };
    this.#stop.abort();
  }

  /** Each as soon as all that it depends on are over. */
  async #runSteps(): Promise<void> {
    const over = new Map<string, Promise<void>>();
    for (const name of this.#graph.order) {
      const needed = this.#needed(name).map((each) => over.get(each));
      over.set(
        name,
        Promise.all(needed).then(() => this.#runStep(name)),
      );
    }
    await Promise.all(over.values());
  }

  async #runStep(name: string): Promise<void> {
    const step = this.#step(name);
    const ending = await this.#settle(name, step).catch(toFault);
    this.#results.set(name, {
      ...ending,
      startedMs: this.#startedMs.get(name) ?? null,
      endedMs: this.#now(),
    });
    this.#forecast.forget(name, step.plugin);
    if (ending.status === 'failed' && step.on_failure === 'stop') {
      this.#endEarly('FAILED', `The step \`${name}\` failed: ${ending.reason}`);
    }
    if (ending.status === 'failed' && step.on_failure === 'skip_dependents') this.#takingAlong.add(name);
    this.#tell({ step: name, status: ending.status, reason: ending.reason, said: null });
    this.#lookAhead(name);
  }

  async #settle(name: string, step: Step): Promise<Ending> {
    if (this.#end !== null) return this.#notReached();
    const taker = this.#needed(name).find((each) => this.#takingAlong.has(each));
    if (taker !== undefined) {
      this.#takingAlong.add(name);
      return { status: 'skipped', reason: `it depends on \`${taker}\`, which gave nothing`, result: null };
    }
    const given = await takeValues(step, this.#values);
    if ('status' in given) return { ...given, result: null };
    return this.#stop.signal.aborted ? this.#notReached() : this.#execute(name, step, given);
  }

  #notReached(): Ending {
    return { status: 'not_reached', reason: this.#end?.reason ?? null, result: null };
  }

  async #execute(name: string, step: Step, { inputData, config }: Given): Promise<Ending> {
    const context = { ...this.#context, inputData, config: { ...this.#context.config, ...config } };
    this.#startedMs.set(name, this.#now());
    this.#tell({ step: name, status: 'running', reason: null, said: null });
    const execution = this.#options.plugins.executePlugin(step.plugin, context as ExecutionContextOptions, {
      signal: this.#stop.signal,
      onProgress: (fraction, message) => this.#say(name, { fraction, message }),
      ...(step.timeout_seconds === undefined ? {} : { timeoutMs: step.timeout_seconds * 1000 }),
    });
    // Its container is about to be taken; the pool would put another one in its place.
    this.#forecast.forget(name, step.plugin);
    this.#lookAhead(name);
    const result = await settledSoon(execution, this.#stop.signal);
    if (result?.success) return { status: 'done', reason: null, result };
    if (this.#end !== null && (result === null || result.outcome === 'CANCELLED')) {
      return { status: 'cancelled', reason: this.#end.reason, result };
    }
    return { status: 'failed', reason: reasonOf(result), result };
  }

  /** An execution that was waited for no longer may still speak. */
  #say(name: string, said: NonNullable<WorkflowProgress['said']>): void {
    if (!this.#results.has(name)) this.#tell({ step: name, status: 'running', reason: null, said });
  }

  /** Has containers wait for the steps that come when what runs now is over, as far as that is known. */
  #lookAhead(name: string): void {
    if (this.#end !== null) return;
    for (const next of this.#graph.dependents.get(name) ?? []) {
      if (this.#isNext(next)) this.#forecast.expect(next, this.#step(next).plugin);
    }
  }

  #isNext(name: string): boolean {
    if (this.#results.has(name) || this.#startedMs.has(name)) return false;
    const open = this.#needed(name).filter((each) => !this.#results.has(each));
    if (open.length === 0 || !open.every((each) => this.#startedMs.has(each))) return false;
    return !this.#needed(name).some((each) => this.#takingAlong.has(each)) && this.#mayHold(this.#step(name));
  }

  /** Whether its condition holds, or is not known yet. */
  #mayHold(step: Step): boolean {
    if (step.when === undefined) return true;
    if (!sourcesOf(testedBy(step)).every((each) => this.#results.has(each))) return true;
    try {
      return holds(step.when, this.#values);
    } catch {
      return false;
    }
  }

  async #report(): Promise<WorkflowResult> {
    const made = this.#end === null ? await makeOutput(this.#workflow, this.#values) : null;
    if (made !== null && 'fault' in made) this.#endEarly('FAILED', `The output ${made.fault}.`);
    const steps = Object.keys(this.#workflow.steps).map((name) => [name, this.#results.get(name)]);
    return {
      workflow: this.#workflow.name,
      outcome: this.#end?.outcome ?? 'OK',
      success: this.#end === null,
      reason: this.#end?.reason ?? null,
      output: this.#end === null && made !== null && 'output' in made ? made.output : null,
      steps: Object.fromEntries(steps),
      executionTimeMs: this.#now(),
      warnings: this.#warnings(),
    };
  }

  #warnings(): string[] {
    return Object.entries(this.#workflow.steps).flatMap(([name, step]) => {
      const { status, reason } = this.#results.get(name) as StepResult;
      if (status !== 'failed' || step.on_failure === 'stop') return [];
      return [`The step \`${name}\` failed, and the workflow went on: ${reason}`];
    });
  }

  #step(name: string): Step {
    return this.#workflow.steps[name] as Step;
  }

  #needed(name: string): readonly string[] {
    return this.#graph.dependencies.get(name) ?? [];
  }

  #now(): number {
    return performance.now() - this.#beganAt;
  }

  #tell(progress: Omit<WorkflowProgress, 'atMs'>): void {
    try {
      this.#options.onProgress?.({ ...progress, atMs: this.#now() });
    } catch {
      // A listener changes nothing.
    }
  }
}

/** A call that was refused as wrong: a timeout above what the plugin is granted, a context that it cannot take. */
function toFault(error: unknown): Ending {
  const message = error instanceof LurkboxError ? describe(error) : String(error);
  return { status: 'failed', reason: toReason(message), result: null };
}

function describe({ code, message, problems }: LurkboxError): string {
  const places = problems.map((problem) => `\`${problem.path}\` ${problem.message}`);
  return [`${code}: ${message}`, ...places].join(' ');
}

function reasonOf(result: PluginExecutionResult | null): string {
  if (result === null) return 'it gave no answer';
  return toReason(`${result.outcome}: ${result.error?.message ?? ''}`);
}

/** On one line: it stands in the reasons and warnings of the workflow, whoever prints those. */
function toReason(text: string): string {
  return cutWhole(escapeControls(cutWhole(text, MAX_REASON_CHARS)), MAX_REASON_CHARS);
}
