import { spawn } from 'node:child_process';

export interface CommandResult {
  /** `null` when the program was killed, by its deadline or otherwise. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  /** The end of stdout and of stderr, each at most `MAX_OUTPUT_BYTES`. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs a program of the host without a shell, with nothing on stdin. Resolves however it ended, or to `null` when
 * there is no such program; rejects only when the signal aborts. The deadline kills the program and its children.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  { cwd, timeoutMs, signal }: CommandOptions,
): Promise<CommandResult | null> {
  signal?.throwIfAborted();
  // A group of its own, so that what it started ends with it.
  const child = spawn(program, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => {
    try {
      // The group: what the program started may outlive it and hold its pipes.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
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
  try {
    const [exitCode, stdout, stderr] = await Promise.all([
      ended(child),
      tail(child.stdout),
      tail(child.stderr),
    ]);
    signal?.throwIfAborted();
    return { exitCode, timedOut, stdout, stderr };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  }
}

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  return promise;
}

async function tail(stream: AsyncIterable<Buffer>): Promise<string> {
  let kept = Buffer.alloc(0);
  for await (const chunk of stream) kept = Buffer.concat([kept, chunk]).subarray(-MAX_OUTPUT_BYTES);
  return kept.toString();
}

/** What a program said last, fit for an error message: no control characters, the last lines only. */
export function lastLines(output: string, lines = 12): string {
  const text = output.replaceAll('\r', '').replace(/[^\P{C}\n\t]/gu, '');
  return text.trim().split('\n').slice(-lines).join('\n');
}
