import type { MemoryReservation, Slot } from '../../calls/admission/admission.ts';
import type { Call } from '../../calls/call.ts';
import type { CallRun } from '../../calls/call-target.ts';
import { unlessAborted } from '../../calls/unless-aborted.ts';
import type { Logger } from '../../logger.ts';
import type { SandboxImage } from '../plugin-sandbox.ts';
import type { LostAfterAnswer } from './after-answer.ts';
import type { ContainerFactory } from './container-factory.ts';
import type { AcquiredContainer, ContainerSource } from './container-source.ts';
import { Execution, type ExecutionPlan } from './execution.ts';

export interface ContainerCallOptions {
  readonly containers: ContainerFactory;
  readonly image: SandboxImage;
  /** Containers that are there before their call. */
  readonly source: ContainerSource;
  /** Told of an execution after whose answer something is lost. */
  readonly onLost: (executionId: string, lost: LostAfterAnswer) => void;
  readonly logger: Logger;
}

/** One call in a container: in one that is there, or in one that is started for it. */
export class ContainerCall implements CallRun {
  readonly #options: ContainerCallOptions;
  readonly #call: Call;
  /** Whether the image was in the engine when somebody last looked, as all calls of the sandbox know it. */
  readonly #known: { hasImage: boolean };
  #acquired: AcquiredContainer | null = null;
  #image: string | null = null;

  constructor(options: ContainerCallOptions, call: Call, known: { hasImage: boolean }) {
    this.#options = options;
    this.#call = call;
    this.#known = known;
  }

  prepare(): Promise<unknown> | null {
    return this.#known.hasImage ? null : this.#prepareImage();
  }

  acquire(): MemoryReservation | null {
    this.#acquired = this.#options.source.acquire(this.#call.session);
    return this.#acquired?.memory ?? null;
  }

  isPrepared(): true | Promise<boolean> {
    return this.#acquired !== null || this.#image !== null ? true : this.#findImage();
  }

  async giveBack(slot: Slot): Promise<void> {
    if (this.#acquired === null || this.#options.source.giveBack(this.#acquired, slot)) return;
    await this.#acquired.container.close();
  }

  start(slot: Slot, judged: Promise<void> | null): Execution | Promise<Execution> {
    const acquired = this.#acquired;
    if (acquired?.kind !== 'reused') this.#options.source.arrived(acquired);
    if (acquired === null) return this.#startCold(slot, judged);
    try {
      // Also for a caller that has left: what was acquired for it has to be ended.
      const execution = new Execution({
        ...this.#plan(slot, judged),
        container: acquired,
        kind: acquired.kind,
      });
      execution.begin();
      return execution;
    } catch (error) {
      // What no execution took over is nobody's any more.
      return acquired.container.close().then(() => Promise.reject(error));
    }
  }

  async #startCold(slot: Slot, judged: Promise<void> | null): Promise<Execution> {
    const { containers, source } = this.#options;
    const { executionId: id, options } = this.#call;
    const engine = await unlessAborted(containers.connect(), options.signal);
    // What may throw comes before what has to be taken back.
    const plan = this.#plan(slot, judged);
    const made = containers.plan({ id, engine, image: this.#image as string, logger: plan.logger });
    const start = source.startsItsOwn();
    const execution = new Execution({
      ...plan,
      container: (user) => containers.start(made, user),
      kind: 'cold',
    });
    void execution.begun.then(() => start[Symbol.dispose]());
    return execution;
  }

  #plan(slot: Slot, judged: Promise<void> | null): Omit<ExecutionPlan, 'container' | 'kind'> {
    const { containers, source, onLost, logger } = this.#options;
    const { executionId, context, options, stopwatch, session, timeoutMs } = this.#call;
    const { grant } = containers;
    stopwatch.lap('queueMs');
    const reuse: ExecutionPlan['reuse'] = (container) => source.reuse(container, slot, session);
    const reuseOnceJudged: ExecutionPlan['reuse'] = (container) =>
      judged?.then(() => reuse(container)) ?? false;
    return {
      context: { executionId, ...context },
      timeoutMs,
      stopwatch,
      logger: logger.child({ executionId, plugin: grant.plugin }),
      signal: options.signal,
      onProgress: options.onProgress,
      onLost: (lost) => onLost(executionId, lost),
      reuse: grant.isolation.mode === 'execution' ? undefined : judged === null ? reuse : reuseOnceJudged,
    };
  }

  async #prepareImage(): Promise<void> {
    this.#image = await this.#options.image.prepare(this.#call.options.signal);
    this.#known.hasImage = true;
  }

  async #findImage(): Promise<boolean> {
    this.#image = await this.#options.image.find();
    this.#known.hasImage = this.#image !== null;
    return this.#known.hasImage;
  }
}
