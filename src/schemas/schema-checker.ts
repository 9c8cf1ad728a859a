import type { CheckRequest } from './check-request.ts';
import { HEAP_MB, type JobEnd } from './checker-process.ts';
import { Lane } from './lane.ts';
import type { Answer } from './messages.ts';

/** Time in the quick process; a check that takes longer is begun again in the slow one, where no quick check waits for it. */
const QUICK_MS = 100;
/** For all checks of one side of a call, compiling included. */
const DEADLINE_MS = 1_000;
/** How long checks of a plugin go to the slow process at once after one of them was not quick. */
const SLOW_FOR_MS = 30_000;
/** A check keeps the place of its call: it may not wait for ever. */
const MAX_WAIT_MS = 5_000;
const MAX_WAITING = 4_096;
/** The slow process ends after this much idle time. */
const IDLE_MS = 10_000;
/** Characters of the schemas that a process keeps compiled; the code of each is some twenty times as long. */
const MAX_COMPILED_CHARS = 1024 * 1024;

interface Job extends CheckRequest {
  readonly settle: (answers: readonly Answer[]) => void;
  readonly waitTimer: NodeJS.Timeout;
}

/**
 * Compiles the schemas of plugins and checks values against them, in two processes with bounds of memory and time. All that
 * is quick goes through one of them. A job that is not quick there is begun again in the other, and so are for a while all
 * jobs of its plugin: plugins whose schemas are slow wait for each other, and nobody else waits for them. In both the
 * plugin comes next whose jobs have taken the least time.
 *
 * Nothing of a schema or a value is compiled, matched or walked in this process, but for a value being written as JSON.
 */
export class SchemaChecker implements AsyncDisposable {
  readonly #quick: Lane<Job>;
  readonly #slow: Lane<Job>;
  /** By plugin: until when. */
  readonly #slowUntil = new Map<string, number>();

  constructor() {
    this.#quick = new Lane({ limitMs: QUICK_MS, keptChars: MAX_COMPILED_CHARS, idleMs: null }, (job, end) =>
      this.#afterQuick(job, end),
    );
    // It forgets each schema at once: what it keeps must not be in the way of the next plugin's.
    this.#slow = new Lane({ limitMs: DEADLINE_MS, keptChars: 0, idleMs: IDLE_MS }, (job, end) =>
      job.settle(toAnswers(end)),
    );
  }

  /** Starts a process for checks that will come. */
  start(): void {
    this.#quick.start();
  }

  /**
   * One answer for each check that was begun, in their order; the last answer says why the checks behind it have none.
   * Rejects only when the signal is aborted, with its reason.
   */
  check(request: CheckRequest): Promise<readonly Answer[]> {
    const { plugin, checks, signal } = request;
    if (checks.length === 0) return Promise.resolve([]);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Answer[]>();
    if (this.#quick.waiting + this.#slow.waiting >= MAX_WAITING)
      return Promise.resolve([unavailable(`could not be checked: ${MAX_WAITING} others are waiting`)]);
    const leave = (): void => {
      this.#leave(job);
      reject(signal?.reason);
    };
    const settle = (answers: readonly Answer[]): void => {
      clearTimeout(job.waitTimer);
      signal?.removeEventListener('abort', leave);
      resolve(answers);
    };
    const giveUp = (): void => {
      if (this.#leave(job)) settle([this.#overdue(plugin)]);
    };
    const job: Job = { ...request, settle, waitTimer: setTimeout(giveUp, MAX_WAIT_MS) };
    signal?.addEventListener('abort', leave, { once: true });
    (this.#isSlow(plugin) ? this.#slow : this.#quick).push(job);
    return promise;
  }

  /** Fine to call twice. Resolves when both processes are gone. */
  async close(): Promise<void> {
    await Promise.all([this.#quick.close(), this.#slow.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #leave(job: Job): boolean {
    clearTimeout(job.waitTimer);
    return this.#quick.leave(job) || this.#slow.leave(job);
  }

  #afterQuick(job: Job, end: JobEnd): void {
    if (typeof end === 'object' && end.late === null) {
      job.settle(end.answers);
      return;
    }
    // Another plugin may have filled the memory: the job is tried once more where its plugin is alone.
    if (end !== 'never') this.#slowUntil.set(job.plugin, performance.now() + SLOW_FOR_MS);
    for (const each of [job, ...this.#quick.takeAll(job.plugin)])
      if (!each.signal?.aborted) this.#slow.push(each);
  }

  #isSlow(plugin: string): boolean {
    const until = this.#slowUntil.get(plugin);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#slowUntil.delete(plugin);
    return false;
  }

  #overdue(plugin: string): Answer {
    const reason = `could not be checked within ${MAX_WAIT_MS} ms`;
    if (!this.#isSlow(plugin)) return unavailable(`${reason}: this host is too busy`);
    return undecided(`${reason}: others that take long come first; simplify the schema`);
  }
}

function toAnswers(end: JobEnd): readonly Answer[] {
  if (end === 'never') return [unavailable('could not be checked: no process could be started for it')];
  if (end === 'died')
    return [undecided(`could not be checked with ${HEAP_MB} MB of memory; simplify the schema`)];
  if (end === 'stuck')
    return [undecided(`could not be checked ${IN_TIME}; simplify the patterns of the schema`)];
  if (end.late === null) return end.answers;
  const reason =
    end.late === 'compiling'
      ? `takes longer than ${DEADLINE_MS} ms to compile`
      : `could not be checked ${IN_TIME}; simplify the schema`;
  return [...end.answers, undecided(reason)];
}

const IN_TIME = `within ${DEADLINE_MS} ms`;

function undecided(reason: string): Answer {
  return { kind: 'undecided', reason };
}

function unavailable(reason: string): Answer {
  return { kind: 'unavailable', reason };
}
