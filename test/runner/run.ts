import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { frameRecord, RecordReader } from '../../src/protocol/framing.ts';

/** In one CommonJS file, as it is shipped. */
const RUNNER = bundle(fileURLToPath(new URL('../../src/runner/main.ts', import.meta.url)));
const NO_LIMITS = { maxRecordBytes: 64 * 1024 * 1024, maxLineBytes: 1024 * 1024 };
const READY = 'ready';

export interface Message {
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data: Record<string, string> };
}

export interface Source {
  readonly code: string;
  /** Name of the entry point. @default index.mjs */
  readonly file?: string;
  /** What is beside it. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The runner as a plain process, without a container around it, with one plugin; gone when it is disposed of. */
export class RunnerProcess implements AsyncDisposable {
  /** Everything in records, in order. */
  readonly messages: Message[] = [];
  /** Everything beside them. */
  readonly lines: string[] = [];
  stderr = '';
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
  readonly #folder: string;
  readonly entryPoint: string;
  readonly #child: ChildProcess;
  #heard = Promise.withResolvers<void>();

  constructor({ code, file = 'index.mjs', files = {} }: Source) {
    this.#folder = mkdtempSync(join(tmpdir(), 'lurkbox-runner-'));
    this.entryPoint = join(this.#folder, file);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.#folder, path)), { recursive: true });
      writeFileSync(join(this.#folder, path), text);
    }
    writeFileSync(this.entryPoint, code);
    const runner = join(this.#folder, 'runner.cjs');
    writeFileSync(runner, RUNNER);
    this.#child = spawn(process.execPath, [runner], { env: {}, stdio: 'pipe' });
    this.ended = this.#listen();
  }

  get response(): Message | undefined {
    return this.messages.find(({ id }) => id !== undefined);
  }

  get #stdin(): Writable {
    return this.#child.stdin as Writable;
  }

  /** Waits until a message is there, or the process has ended without one. */
  async heard(isIt: (message: Message) => boolean): Promise<Message | undefined> {
    for (;;) {
      const found = this.messages.find(isIt);
      if (found !== undefined || this.#hasEnded()) return found;
      await this.#heard.promise;
    }
  }

  /** Hands over the context once the runner is ready. */
  async execute(inputData: unknown = null): Promise<void> {
    await this.heard(({ method }) => method === READY);
    const context = { executionId: 'e1', inputData };
    this.send({
      id: 1,
      method: 'execute',
      params: { entryPoint: this.entryPoint, context, maxResultBytes: 64 * 1024 * 1024 },
    });
  }

  send(message: object): void {
    this.#stdin.write(frameRecord(JSON.stringify({ jsonrpc: '2.0', ...message })));
  }

  hangUp(): void {
    this.#stdin.end();
  }

  /** Stops reading, so that the pipe fills up. */
  pause(): void {
    this.#child.stdout?.pause();
  }

  resume(): void {
    this.#child.stdout?.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #hasEnded(): boolean {
    return this.#child.stdout?.readableEnded ?? true;
  }

  async #listen(): Promise<number | string> {
    const reader = new RecordReader(NO_LIMITS);
    const take = (pieces: Iterable<{ kind: string; bytes?: Buffer }>): void => {
      for (const { kind, bytes } of pieces) {
        if (kind === 'record') this.messages.push(JSON.parse(String(bytes)));
        else this.lines.push(String(bytes));
      }
      this.#heard.resolve();
      this.#heard = Promise.withResolvers<void>();
    };
    this.#stdin.on('error', () => {});
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => take(reader.push(chunk)));
    this.#child.stdout?.on('end', () => take(reader.end()));
    const [code, signal] = await once(this.#child, 'close');
    return code ?? signal;
  }
}

/** Runs a plugin until it has answered or ended; then the host hangs up, and what still came is there as well. */
export async function runPlugin(source: Source, inputData: unknown = null): Promise<RunnerProcess> {
  await using runner = new RunnerProcess(source);
  await runner.execute(inputData);
  await runner.heard(({ id }) => id !== undefined);
  runner.hangUp();
  // Whoever broke the language for Node itself does not hear of the end.
  await Promise.race([runner.ended, delay(500)]);
  return runner;
}

function bundle(entryPoint: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [entryPoint],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    write: false,
  });
  return String(outputFiles[0]?.text);
}
