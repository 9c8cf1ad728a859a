import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { extname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { cutProblem, cutReason, MAX_PROBLEMS } from './cut.ts';
import { FRAME_KINDS, FrameReader, toFrame } from './frames.ts';
import { type Answer, type JobMessage, MAX_REPLY_BYTES, type ReplyMessage } from './messages.ts';

/** Of this package as it runs: the source, or what was compiled from it. */
const PROGRAM = join(import.meta.dirname, `checker-program${extname(import.meta.filename)}`);
const SHELL = '/bin/sh';
/** A process whose heap is full aborts, and what it leaves behind would be as large as the heap. */
const SCRIPT = 'ulimit -c 0; exec "$0" "$@"';
/** A context of 16 MiB with a million members takes a hundred megabytes. */
export const HEAP_MB = 256;
const NODE_ARGUMENTS = [`--max-old-space-size=${HEAP_MB}`, '--max-semi-space-size=8'];
/** A start takes a tenth of a second; after this long it is given up. */
const START_DEADLINE_MS = 10_000;
const SEND_DEADLINE_MS = 10_000;
/** Beyond the limit of a job, which V8 enforces in the process; only code that V8 cannot interrupt takes longer. */
const GRACE_MS = 1_000;
/** A value as JSON: whole, or in pieces that are made when they are sent. */
export type JsonText = string | (() => AsyncIterable<string>);

/** `stuck`: it did not answer in time and was ended. `died`: it ended by itself. `never`: it did not even start. */
export type JobEnd = ReplyMessage | 'stuck' | 'died' | 'never';

/**
 * A process that checks, one job at a time. A thread would be cheaper, but one whose heap is full can end the whole
 * process, and one that turns a regular expression into machine code cannot be ended.
 */
export class CheckerProcess {
  readonly #child: ChildProcess;
  readonly #gone = Promise.withResolvers<void>();
  readonly #replies: string[] = [];
  readonly #whenGone = new AbortController();
  #isGone = false;
  #isKilled = false;
  #isReady = false;
  /** Called when a reply has come, or the process has ended. */
  #wake: () => void = () => {};

  /** Starts at once. */
  constructor() {
    const program = [process.execPath, ...NODE_ARGUMENTS, PROGRAM];
    const [command = '', ...args] = existsSync(SHELL) ? [SHELL, '-c', SCRIPT, ...program] : program;
    this.#child = spawn(command, args, { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.once('error', () => this.#end());
    this.#child.once('exit', () => this.#end());
    this.#listen(this.#child.stdout as Readable);
    // It is gone; `exit` tells that.
    this.#child.stdin?.on('error', () => {});
    // Nothing of it keeps this process alive: whoever waits for an answer has a timer. The pipes are sockets.
    this.#child.unref();
    for (const pipe of [this.#child.stdin, this.#child.stdout]) (pipe as Socket | null)?.unref();
  }

  /** Whether it takes jobs: it may be there for a moment after it was killed. */
  get isUsable(): boolean {
    return !this.#isGone && !this.#isKilled;
  }

  /** Never rejects. */
  async run(job: JobMessage, values: readonly JsonText[]): Promise<JobEnd> {
    this.#isReady ||= (await this.#reply(START_DEADLINE_MS)) !== null;
    if (!this.#isReady) return 'never';
    await this.#send(job, values);
    const reply = await this.#reply(job.limitMs + GRACE_MS);
    const said = reply === null ? null : parseReply(reply);
    if (said !== null) return said;
    const end = this.#isGone || reply !== null ? 'died' : 'stuck';
    this.#signal();
    return end;
  }

  /** Resolves when it is gone. Fine to call twice. */
  async kill(): Promise<void> {
    this.#child.ref();
    this.#signal();
    await this.#gone.promise;
  }

  #signal(): void {
    this.#isKilled = true;
    if (!this.#isGone) this.#child.kill('SIGKILL');
  }

  async #send(job: JobMessage, values: readonly JsonText[]): Promise<void> {
    const stdin = this.#child.stdin as Writable;
    let ready: Buffer[] = [toFrame(FRAME_KINDS.message, JSON.stringify(job))];
    for (const value of values) {
      if (typeof value === 'string') ready.push(toFrame(FRAME_KINDS.piece, value));
      else {
        for await (const piece of value()) {
          ready.push(toFrame(FRAME_KINDS.piece, piece));
          const isTaken = stdin.write(Buffer.concat(ready));
          ready = [];
          if (this.#isGone || !(isTaken || (await this.#drained(stdin)))) return;
        }
      }
      ready.push(toFrame(FRAME_KINDS.endOfValue, ''));
    }
    stdin.write(Buffer.concat(ready));
  }

  async #drained(stdin: Writable): Promise<boolean> {
    const signal = AbortSignal.any([AbortSignal.timeout(SEND_DEADLINE_MS), this.#whenGone.signal]);
    return once(stdin, 'drain', { signal }).then(
      () => true,
      () => false,
    );
  }

  /** `null`: it has ended, or the time is over. */
  async #reply(deadlineMs: number): Promise<string | null> {
    if (this.#replies.length === 0 && !this.#isGone) {
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      // A reply may have come while this process did something else: it is looked for once more when the time is over.
      const timer = setTimeout(() => setImmediate(resolve), deadlineMs);
      await woken;
      clearTimeout(timer);
    }
    return this.#replies.shift() ?? null;
  }

  #listen(stdout: Readable): void {
    const reader = new FrameReader(MAX_REPLY_BYTES);
    stdout.on('error', () => {});
    stdout.on('data', (chunk: Buffer) => {
      try {
        for (const { bytes } of reader.push(chunk)) this.#replies.push(bytes.toString());
        this.#wake();
      } catch {
        // A reply that breaks the protocol: nothing of it counts.
        this.#signal();
      }
    });
  }

  #end(): void {
    this.#isGone = true;
    this.#whenGone.abort();
    this.#gone.resolve();
    this.#wake();
  }
}

/** The process may say anything once a schema has made it do so: whatever it says is only ever a verdict, short and harmless. */
function parseReply(text: string): ReplyMessage | null {
  try {
    const { answers, late } = JSON.parse(text) as ReplyMessage;
    return {
      late: late === null ? null : late === 'compiling' ? 'compiling' : 'checking',
      answers: answers.map((answer): Answer => {
        if (answer.kind === 'checked' || answer.kind === 'unusable')
          return { kind: answer.kind, problems: answer.problems.slice(0, MAX_PROBLEMS).map(cutProblem) };
        return { kind: 'undecided', reason: cutReason(answer.reason) };
      }),
    };
  } catch {
    return null;
  }
}
