import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const SOURCE = join(import.meta.dirname, '../../src');
const CHILD = join(import.meta.dirname, 'race-child.ts');
/** Whatever names a file, and what lists a folder. */
const CALLS = '%file,getdents64,fstat';
/** An operation takes some ten milliseconds under strace; one that waits for a writer takes for ever. */
const TRIAL_MS = 20_000;

export interface Trial {
  readonly ok: boolean;
  /** What was read, or the error. */
  readonly text: string;
  /** The system call after which something was swapped; `null`: none was. */
  readonly swappedAfter: string | null;
}

/**
 * A process that does what `race-child.ts` can do, and that strace stops after every `step`th system call of each kind. While it
 * stands still somebody swaps something. An operation makes nearly the same calls each time, so that with a step that has no
 * divisor in common with their number each of them has its turn after as many trials.
 */
export class RacedProcess implements AsyncDisposable {
  readonly #strace: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lastCall = new Map<string, string>();
  #swap: (() => void) | null = null;
  #swappedAfter: string | null = null;

  private constructor(strace: ChildProcess) {
    this.#strace = strace;
    this.#answers = createInterface({ input: strace.stdout! })[Symbol.asyncIterator]();
    createInterface({ input: strace.stderr! }).on('line', (line) => this.#see(line));
  }

  static async start({ step, source = SOURCE }: { step: number; source?: string }): Promise<RacedProcess> {
    const inject = `--inject=${CALLS}:signal=SIGSTOP:when=${step}+${step}`;
    const strace = spawn('strace', ['-f', `--trace=${CALLS}`, inject, process.execPath, CHILD, source], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // One thread does all that does not happen at once.
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    });
    strace.on('error', () => {});
    const raced = new RacedProcess(strace);
    const { value } = await raced.#answers.next();
    if (value !== 'loaded') throw new Error('The process to race with did not start; is `strace` installed?');
    return raced;
  }

  /** Does an operation once; `swap` is called at most once, while everything stands still. */
  async try(operation: string, workspace: string, swap: () => void): Promise<Trial> {
    this.#swap = swap;
    this.#swappedAfter = null;
    this.#strace.stdin!.write(`${JSON.stringify({ operation, workspace })}\n`);
    const answer = await Promise.race([this.#answers.next(), delay(TRIAL_MS, null, { ref: false })]);
    this.#swap = null;
    const swappedAfter = this.#swappedAfter;
    if (answer?.value === undefined)
      throw new Error(
        `\`${operation}\` ${answer === null ? 'hangs' : 'ended'} after a swap after ${swappedAfter}`,
      );
    return { ...(JSON.parse(answer.value) as { ok: boolean; text: string }), swappedAfter };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#swap = null;
    const pid = this.#tracee();
    if (pid === null) return;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#strace.on('close', () => resolve());
    process.kill(pid, 'SIGKILL');
    await ended;
  }

  /** `[pid 12] openat(AT_FDCWD, …) = 3`, `[pid 12] --- stopped by SIGSTOP ---` */
  #see(line: string): void {
    const [, thread = '', what = ''] = /^(?:\[pid +(\d+)\] )?(.*)$/.exec(line) ?? [];
    if (!what.startsWith('---')) this.#lastCall.set(thread, toCall(what));
    else if (what.startsWith('--- SIGSTOP')) this.#swapNow(this.#lastCall.get(thread) ?? '');
    // Each thread stops for itself. One that is told to go on before it has stopped does not stop.
    else if (what.startsWith('--- stopped by SIGSTOP')) this.#resume();
  }

  #swapNow(call: string): void {
    if (this.#swap === null || this.#swappedAfter !== null) return;
    this.#swappedAfter = call;
    this.#swap();
  }

  #resume(): void {
    const pid = this.#tracee();
    if (pid !== null) process.kill(pid, 'SIGCONT');
  }

  #tracee(): number | null {
    const { pid } = this.#strace;
    try {
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
      return child ? Number(child) : null;
    } catch {
      return null;
    }
  }
}

/** Without the numbers of descriptors, which are others each time. */
function toCall(line: string): string {
  return line.replaceAll(/\/proc\/self\/fd\/\d+/g, '<folder>').replace(/\) += .*$/, ')');
}
