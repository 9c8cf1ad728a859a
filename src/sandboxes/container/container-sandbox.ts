import type { Call, ExecuteOptions } from '../../calls/call.ts';
import { CallRunner, type CallRunnerOptions } from '../../calls/call-runner.ts';
import type { CallRun } from '../../calls/call-target.ts';
import type { ExecutionContextConfig } from '../../calls/context.ts';
import type { Ending } from '../../calls/ending.ts';
import type { PluginExecutionResult } from '../../calls/result.ts';
import type { PluginSandbox } from '../plugin-sandbox.ts';
import { ContainerCall, type ContainerCallOptions } from './container-call.ts';
import type { ContainerSource } from './container-source.ts';

export interface ContainerSandboxOptions
  extends Omit<CallRunnerOptions, 'notes' | 'takeWarnings' | 'grant'>,
    ContainerCallOptions {
  readonly source: ContainerSource;
}

/**
 * One plugin version under one grant. Each execution has a fresh container of its own, which may have waited for it; where
 * the policy says so, containers are reused for the calls of a session, or of everybody.
 */
export class ContainerSandbox implements PluginSandbox {
  readonly #calls: CallRunner;
  readonly #source: ContainerSource;

  constructor(options: ContainerSandboxOptions) {
    const { image, containers, source, plugin, admission, schemaChecker } = options;
    const known = { hasImage: false };
    const open = (call: Call): CallRun => new ContainerCall(options, call, known);
    const { notes, takeWarnings } = image;
    const { grant } = containers;
    this.#calls = new CallRunner({ plugin, grant, admission, schemaChecker, notes, takeWarnings }, { open });
    this.#source = source;
  }

  execute(context: ExecutionContextConfig, options?: ExecuteOptions): Promise<PluginExecutionResult> {
    return this.#calls.run(context, options);
  }

  refusalOf(context: ExecutionContextConfig): Promise<Ending | null> {
    return this.#calls.refusalOf(context);
  }

  prewarm(size: number): Promise<number> {
    return this.#source.prewarm(size);
  }

  tryLoading(signal?: AbortSignal): Promise<Ending | null> {
    return this.#source.tryLoading(signal);
  }

  async close(): Promise<void> {
    await this.#source.close();
    await this.#calls.settled();
  }
}
