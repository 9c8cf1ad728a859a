import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { MemoryReservation } from '../../calls/admission/admission.ts';
import type { Ending } from '../../calls/ending.ts';
import type { Logger } from '../../logger.ts';
import type { ContainerFactory } from '../container/container-factory.ts';
import type { ContainerPlan } from '../container/container-plan.ts';
import type { SandboxImage } from '../plugin-sandbox.ts';
import { IdleContainer, type IdleOptions } from './idle-container.ts';
import { toKey } from './key.ts';

/** How long a container that only tries to load a plugin waits for its memory, and after what time it is looked for again. */
const ROOM_MS = 3_000;
const ROOM_PAUSE_MS = 100;

export interface StarterOptions {
  readonly containers: ContainerFactory;
  readonly image: SandboxImage;
  readonly preload: boolean;
  readonly logger: Logger;
}

export interface StarterKeeper {
  /** `null` where no memory is to be had now. */
  reserveMemory(bytes: number): MemoryReservation | null;
  /** Ends waiting containers until so much memory is free. */
  makeRoom(bytes: number): void;
  /** Closing waits until it is gone. */
  onStarted(idle: IdleContainer): void;
  /** Resolves when it is gone. */
  end(idle: IdleContainer): Promise<void>;
}

/** What is to be started, once its image is there. */
export interface PlannedStart {
  readonly plan: ContainerPlan;
  readonly key: string;
}

/** Starts the containers of one plugin that no call has asked for: those that wait for one, and those that only try to load it. */
export class Starter {
  readonly #options: StarterOptions;
  readonly #keeper: StarterKeeper;
  /** Aborts when nothing is started any more. */
  readonly #signal: AbortSignal;
  readonly #tries = new Set<IdleContainer>();
  #hadImage = false;

  constructor(options: StarterOptions, keeper: StarterKeeper, signal: AbortSignal) {
    this.#options = options;
    this.#keeper = keeper;
    this.#signal = signal;
  }

  /** Whether its image was there when somebody last asked for it. */
  get hadImage(): boolean {
    return this.#hadImage;
  }

  /** How many are there that only try to load the plugin. */
  get triedCount(): number {
    return this.#tries.size;
  }

  /** `null` once it is closed. */
  async plan(): Promise<PlannedStart | null> {
    const { containers, image: made, preload, logger } = this.#options;
    const engine = await containers.connect();
    if (this.#signal.aborted) return null;
    const image = await made.prepare(this.#signal);
    this.#hadImage = true;
    if (this.#signal.aborted) return null;
    const id = randomUUID();
    const { grant, entryPoint } = containers;
    const child = logger.child({ sandboxId: id, plugin: grant.plugin });
    return {
      plan: containers.plan({ id, engine, image, logger: child }),
      key: toKey({ image, grant, entryPoint, preload }),
    };
  }

  /** `null` when there is no memory for it. Not before its image is there: a call could not have the memory back meanwhile. */
  start({ plan, key }: PlannedStart, onLost: IdleOptions['onLost']): IdleContainer | null {
    const { containers, preload } = this.#options;
    const { memoryBytes, timeoutMs } = plan.grant;
    const memory = this.#keeper.reserveMemory(memoryBytes);
    if (memory === null) return null;
    const start = containers.start.bind(containers, plan);
    const idle = new IdleContainer({ start, preload, timeoutMs, key }, { memory, onLost });
    this.#keeper.onStarted(idle);
    return idle;
  }

  /** As the sandbox promises it. */
  async tryLoading(signal?: AbortSignal): Promise<Ending | null> {
    const planned = await this.plan();
    let ending: Ending | null = null;
    const onLost: IdleOptions['onLost'] = (_idle, lost) => {
      ending = lost;
    };
    const idle = planned === null ? null : await this.#startWithRoom(planned, onLost, signal);
    if (idle === null) return null;
    this.#tries.add(idle);
    await idle.settled;
    if (idle.isReady) ending = { outcome: 'OK', result: null };
    if (this.#tries.delete(idle)) void this.#keeper.end(idle);
    return ending;
  }

  /** Ends one that only tries to load the plugin. Resolves when it is gone; `null` when there is none. */
  dropTry(): Promise<void> | null {
    const [first] = this.#tries;
    if (first === undefined) return null;
    this.#tries.delete(first);
    return this.#keeper.end(first);
  }

  async #startWithRoom(
    planned: PlannedStart,
    onLost: IdleOptions['onLost'],
    signal: AbortSignal | undefined,
  ): Promise<IdleContainer | null> {
    const until = performance.now() + ROOM_MS;
    const isOver = (): boolean => this.#signal.aborted || (signal?.aborted ?? false);
    for (;;) {
      const idle = isOver() ? null : this.start(planned, onLost);
      if (idle !== null || isOver() || performance.now() >= until) return idle;
      this.#keeper.makeRoom(planned.plan.grant.memoryBytes);
      await delay(ROOM_PAUSE_MS);
    }
  }
}
