import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type DiskBudget, watchDisk } from './disk-watch.ts';

export interface CommandResult {
  /** `null` when the program was killed, by its deadline or otherwise. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  /** Why it was killed when it took more disk than it may; `null` when it did not. */
  readonly overBudget: string | null;
  /** The end of stdout and of stderr, at most `MAX_OUTPUT_BYTES` or what was asked for. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** All of its environment. @default nothing but `LANG` */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from stdin. @default nothing */
  readonly input?: string;
  readonly maxStdoutBytes?: number;
  /** What it may leave on disk, looked at while it runs. @default no budget */
  readonly disk?: DiskBudget;
}

const MAX_OUTPUT_BYTES = 64 * 1024;

/** Limits that the kernel enforces for every program. */
export const COMMAND_LIMITS = {
  /** Size of one file; a write beyond it fails. */
  fileBytes: 256 * 1024 * 1024,
  /** Private memory, of which Node reserves some 500 MB without using them. */
  dataBytes: 2 * 1024 * 1024 * 1024,
} as const;

const SHELL = '/bin/sh';

/**
 * `sh` in a group of its own sets limits, leaves a reader behind, and becomes the program. The reader holds the other end of
 * a pipe to this process: when that breaks, however this process ended, it kills the group. No program that is started here
 * runs code of a package, so none of them leaves its group.
 */
const SCRIPT = `
  ulimit -c 0; ulimit -f "$1" || :; ulimit -d "$2" || :; shift 2
  (read -r line; kill -KILL 0) <&3 >/dev/null 2>&1 &
  exec 3<&-
  exec "$@"`;

/** `ulimit -f` counts in blocks, `ulimit -d` in kilobytes (POSIX). */
const LIMIT_ARGUMENTS = [COMMAND_LIMITS.fileBytes / 512, COMMAND_LIMITS.dataBytes / 1024].map(String);

/**
 * Runs a program of the host, named by its absolute path. Resolves however it ended, or to `null` when there is no such
 * program; rejects only when the signal aborts. The deadline, the budget and the end of this process kill the program and
 * its children.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult | null> {
  const { cwd, timeoutMs, signal, env = { LANG: 'C' }, input, maxStdoutBytes = MAX_OUTPUT_BYTES } = options;
  signal?.throwIfAborted();
  if (!isAbsolute(program) || !existsSync(program)) return null;
  const child = spawn(SHELL, ['-c', SCRIPT, 'sh', ...LIMIT_ARGUMENTS, program, ...args], {
    cwd,
    env,
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  // The reader is in the group: until it is killed, its number is not given to anybody else.
  let isKilled = false;
  const kill = () => {
    if (isKilled || child.pid === undefined) return;
    isKilled = true;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The whole group has ended already.
    }
  };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  const watch = options.disk && child.pid !== undefined ? watchDisk(child.pid, options.disk, kill) : null;
  child.once('exit', kill);
  // The exit code shows that the program ended early.
  for (const pipe of [child.stdin, child.stdio[3]]) pipe?.on('error', () => {});
  child.stdin?.end(input);
  try {
    const [exitCode, stdout, stderr] = await Promise.all([
      ended(child),
      tail(child.stdout as AsyncIterable<Buffer>, maxStdoutBytes),
      tail(child.stderr as AsyncIterable<Buffer>, MAX_OUTPUT_BYTES),
    ]);
    signal?.throwIfAborted();
    return { exitCode, timedOut, overBudget: (await watch?.end()) ?? null, stdout, stderr };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
    child.stdio[3]?.destroy();
    await watch?.end();
  }
}

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  return promise;
}

/** The last bytes of a stream; at most twice as many are held. */
async function tail(stream: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < 2 * maxBytes) continue;
    chunks = [Buffer.concat(chunks).subarray(-maxBytes)];
    bytes = maxBytes;
  }
  return Buffer.concat(chunks).subarray(-maxBytes).toString();
}

const MAX_LINE_CHARS = 500;

/** What a program printed last, for an error message: its last lines on one line, so that none can begin a line of the message. */
export function lastLines(output: string, lines = 12): string {
  const text = output.replaceAll('\r', '').replace(/[^\P{C}\n\t]/gu, '');
  const said = text.split('\n').map((line) => line.replaceAll('\t', ' ').trim());
  return said
    .filter((line) => line !== '')
    .slice(-lines)
    .map((line) => line.slice(0, MAX_LINE_CHARS))
    .join(' | ');
}
