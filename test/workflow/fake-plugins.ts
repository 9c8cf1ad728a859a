import type { ExecuteOptions } from '../../src/calls/call.ts';
import type { ExecutionContextOptions } from '../../src/calls/context.ts';
import type { Outcome } from '../../src/calls/outcome.ts';
import type { PluginExecutionResult } from '../../src/calls/result.ts';
import type { WorkflowPlugins } from '../../src/workflow/run.ts';

/** What a plugin of a fake does with its input; what it throws makes its outcome `PLUGIN_ERROR`. */
export type Behaviour = (input: never, options: ExecuteOptions) => unknown;

export interface FakeCall {
  readonly name: string;
  readonly context: ExecutionContextOptions;
  readonly options: ExecuteOptions;
}

/** Plugins that are functions. Without a function of its own, a plugin answers its input. */
export class FakePlugins implements WorkflowPlugins {
  readonly calls: FakeCall[] = [];
  readonly prewarmed: [name: string, size: number][] = [];
  readonly #behaviours: Readonly<Record<string, Behaviour>>;

  constructor(behaviours: Readonly<Record<string, Behaviour>> = {}) {
    this.#behaviours = behaviours;
  }

  get names(): string[] {
    return this.calls.map(({ name }) => name);
  }

  async executePlugin(
    name: string,
    context: ExecutionContextOptions = {},
    options: ExecuteOptions = {},
  ): Promise<PluginExecutionResult> {
    this.calls.push({ name, context, options });
    const { promise: aborted, resolve } = Promise.withResolvers<'aborted'>();
    options.signal?.addEventListener('abort', () => resolve('aborted'));
    try {
      const behaviour = this.#behaviours[name] ?? ((input: unknown) => input);
      const work = Promise.resolve(behaviour(context.inputData as never, options));
      const answer = await Promise.race([aborted, work.then((value) => ({ value }))]);
      return answer === 'aborted' ? toResult(name, 'CANCELLED') : toResult(name, 'OK', answer.value);
    } catch (error) {
      return toResult(name, 'PLUGIN_ERROR', null, (error as Error).message);
    }
  }

  async prewarm(name: string, size: number): Promise<number> {
    this.prewarmed.push([name, size]);
    return size;
  }
}

export function toResult(
  plugin: string,
  outcome: Outcome,
  result: unknown = null,
  message: string = outcome,
): PluginExecutionResult {
  return {
    executionId: 'e',
    plugin,
    version: '1.0.0',
    digest: null,
    outcome,
    success: outcome === 'OK',
    result,
    error: outcome === 'OK' ? null : { code: outcome, message, stack: null, details: null, hint: null },
    executionTimeMs: 1,
    phases: { queueMs: 0, createMs: 0, startMs: 0, bootMs: 0, runMs: 0, teardownMs: null },
    usage: { peakMemoryBytes: null, cpuTimeMs: null },
    logs: [],
    warnings: [],
    metadata: {},
  };
}

export const fail: Behaviour = () => {
  throw new Error('broken');
};

/** Ends only when it is cancelled. */
export const stay: Behaviour = () => new Promise(() => {});
