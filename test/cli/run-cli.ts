import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';

const ROOT = join(import.meta.dirname, '../..');

/** The command as it is installed; it needs `dist/`. */
export const BUILT = join(ROOT, 'bin/lurkbox.js');
/** The same from the source, which runs without a build. */
export const SOURCE = join(ROOT, 'src/cli/main.ts');

/** A socket that no engine listens on. */
export const NO_ENGINE = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };

const PLAIN = {
  // The Node of the tests is the one that `#!/usr/bin/env node` finds.
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  // Set by the test runner, for its own children.
  FORCE_COLOR: undefined,
  NO_COLOR: undefined,
  NODE_OPTIONS: undefined,
};

export interface CliOptions {
  /** @default BUILT */
  readonly program?: string;
  readonly cwd?: string;
  /** Laid over the environment of the tests; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What stands on stdin, which then ends. @default nothing */
  readonly stdin?: string;
}

export interface CliEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly process: ChildProcess;
  readonly end: Promise<CliEnd>;
}

/** Starts lurkbox with its three streams piped, so that none of them is a terminal. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { program = BUILT, cwd, env = {}, stdin = '' } = options;
  // The installed command is started by its first line.
  const [command = program, ...scripts] = program === BUILT ? [BUILT] : [process.execPath, program];
  const child = spawn(command, [...scripts, ...args], {
    cwd,
    env: { ...process.env, ...PLAIN, ...env },
    stdio: 'pipe',
  });
  // Who does not read stdin may close it before all of it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  // Who closes an output early has read enough.
  const stdout = text(child.stdout).catch(() => '');
  const stderr = text(child.stderr).catch(() => '');
  const end = Promise.all([once(child, 'close'), stdout, stderr]).then(
    ([[exitCode, signal], stdout, stderr]) => ({ exitCode, signal, stdout, stderr }),
  );
  return { process: child, end };
}

export function runCli(args: readonly string[], options?: CliOptions): Promise<CliEnd> {
  return startCli(args, options).end;
}

/** Characters that steer a terminal instead of being shown; a line feed is one of ours. */
export const STEERING =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
