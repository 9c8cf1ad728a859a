import type { CheckRequest } from './check-request.ts';
import { CheckerProcess, type JobEnd } from './checker-process.ts';
import { CompiledSchemas } from './compiled-schemas.ts';
import { FairQueue } from './fair-queue.ts';
import type { JobMessage } from './messages.ts';

export interface LaneOptions {
  /** Time for one job. */
  readonly limitMs: number;
  /** Characters of the schemas that stay compiled between jobs. */
  readonly keptChars: number;
  /** The process ends after this much idle time. `null`: never. */
  readonly idleMs: number | null;
}

/** One process and what waits for it. It is started for the first job, and again after it has ended. */
export class Lane<Job extends CheckRequest> {
  readonly #options: LaneOptions;
  readonly #onEnd: (job: Job, end: JobEnd) => void;
  readonly #queue = new FairQueue<Job>();
  #process: CheckerProcess | null = null;
  #compiled: CompiledSchemas;
  /** To forget before the next job. */
  #forget: readonly string[] = [];
  #isBusy = false;
  #isClosed = false;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions, onEnd: (job: Job, end: JobEnd) => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    this.#compiled = new CompiledSchemas(options.keptChars);
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Starts the process ahead of the first job. */
  start(): void {
    if (this.#isClosed || this.#isBusy || this.#process?.isUsable) return;
    try {
      this.#begin();
    } catch {
      // The first job tries again, and is told.
    }
  }

  push(job: Job): void {
    if (this.#isClosed) {
      this.#onEnd(job, 'never');
      return;
    }
    this.#queue.push(job.plugin, job);
    if (!this.#isBusy) void this.#work();
  }

  /** Removes a job that still waits; answers whether it did. */
  leave(job: Job): boolean {
    return this.#queue.delete(job.plugin, job);
  }

  /** Removes and returns all waiting jobs of one plugin. */
  takeAll(plugin: string): Job[] {
    return this.#queue.takeAll(plugin);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    await this.#process?.kill();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    clearTimeout(this.#idleTimer);
    for (let job = this.#queue.next(); job !== null; job = this.#queue.next()) {
      const startedAt = performance.now();
      // No process, no memory or no descriptor is left on this host.
      const end = this.#isClosed ? 'never' : await this.#run(job).catch((): JobEnd => 'never');
      this.#queue.spend(job.plugin, performance.now() - startedAt);
      this.#onEnd(job, end);
    }
    this.#isBusy = false;
    const { idleMs } = this.#options;
    if (idleMs !== null) this.#idleTimer = setTimeout(() => void this.#process?.kill(), idleMs).unref();
  }

  #begin(): CheckerProcess {
    this.#process = null;
    this.#compiled = new CompiledSchemas(this.#options.keptChars);
    this.#forget = [];
    this.#process = new CheckerProcess();
    return this.#process;
  }

  async #run({ checks }: Job): Promise<JobEnd> {
    const checker = this.#process?.isUsable ? this.#process : this.#begin();
    const message: JobMessage = {
      limitMs: this.#options.limitMs,
      forget: this.#forget,
      checks: checks.map(({ schema, value, quoting = 'values' }) => ({
        id: schema.id,
        schema: this.#compiled.use(schema) ? null : schema.json,
        hasValue: value !== null,
        quoting,
      })),
    };
    this.#forget = this.#compiled.shrink();
    const end = await checker.run(
      message,
      checks.flatMap(({ value }) => value ?? []),
    );
    // What was cut off was not compiled, and what is sent once more is compiled once more.
    if (typeof end === 'object' && end.late !== null)
      this.#forget = [...this.#forget, ...this.#compiled.forget(checks.map(({ schema }) => schema))];
    return end;
  }
}
