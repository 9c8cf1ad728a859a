import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Logger } from '../../logger.ts';
import { ENGINE_IS_AWAY } from './guard-exit-code.ts';
import type { Identity } from './identity.ts';

export interface GuardOptions {
  /** Whose things it is to remove, as they are labelled. */
  readonly identity: Identity;
  /** `DOCKER_*` that lead to the engine. */
  readonly engineEnv: Readonly<Record<string, string>>;
  /** The workspace's `.lurkbox` folder, where temporary files are. */
  readonly cacheDir: string;
  readonly logger: Logger;
}

/** A process beside this one that outlives it. */
export interface Guard {
  /** Ends it: nothing is left to guard. Resolves when it is gone. Fine to call twice. */
  dismiss(): Promise<void>;
}

/** Of this package as it runs: the source, or what was compiled from it. */
const PROGRAM = join(import.meta.dirname, `guard-program${extname(import.meta.filename)}`);
const SHELL = '/bin/sh';
/**
 * While it waits the guard is a shell, which takes one megabyte where Node takes a hundred: first for its pipe, which breaks
 * when this process ends, however it ends, where a line through it says that all is well; then for an engine that is away.
 * Node is started again when the engine's socket is back, and now and then while it is there and nobody answers. After a
 * minute without a socket, ten in all, or at once where the folder of the socket is gone too, the guard ends: what is left
 * then is for the next orchestrator to prune.
 */
const SCRIPT = `
  trap '' TERM INT HUP
  read -r line && exit
  case "$DOCKER_HOST" in unix://*) socket="\${DOCKER_HOST#unix://}" ;; *) socket= ;; esac
  pause=1; waited=0; missing=0
  while "$0" "$@" "$waited"; [ $? -eq ${ENGINE_IS_AWAY} ] && [ "$waited" -lt 600 ]; do
    left=$pause
    while [ "$left" -gt 0 ]; do
      /bin/sleep 1 || exit
      waited=$((waited + 1)); left=$((left - 1))
      if [ -z "$socket" ] || [ -e "$socket" ]; then
        [ "$missing" -eq 0 ] || left=0
        missing=0
      else
        missing=$((missing + 1)); left=1
        [ -d "\${socket%/*}/" ] && [ "$missing" -lt 60 ] || exit
      fi
    done
    [ "$pause" -ge 32 ] || pause=$((pause * 2))
  done`;
/** A guard may be ended once by mistake; if it is ended again and again, that is meant. */
const MAX_STARTS = 5;
const RESTART_DELAY_MS = 1_000;
/** A guard that was stopped, or whose pipe has broken, cannot be dismissed by a line. */
const DISMISSAL_MS = 1_000;

/**
 * Starts the process that removes what this one leaves in the engine and below `cacheDir` when it dies without
 * `dismiss`, SIGKILL included. It is in a session of its own, so what ends this process by its group or terminal does
 * not reach it, and it does not keep this process alive.
 */
export function startGuard(options: GuardOptions): Guard {
  const { logger } = options;
  let child: ChildProcess | null = null;
  let dismissed = false;
  let starts = 0;

  start();
  return { dismiss };

  function start(): void {
    if (dismissed) return;
    starts++;
    try {
      child = spawnGuard(options);
    } catch (error) {
      // Out of memory or processes, or a Node that may start none: what is executed must not fail of that.
      onEnd('could not be started', error);
      return;
    }
    // A process that never was has no exit, and one that was may have errors that do not end it.
    if (child.pid === undefined) child.once('error', (error) => onEnd('could not be started', error));
    else child.on('error', (error) => logger.debug({ err: error }, 'an error of the guard process'));
    child.once('exit', () => onEnd('was ended by somebody else'));
  }

  function onEnd(how: string, error?: unknown): void {
    child = null;
    if (dismissed) return;
    const isLast = starts >= MAX_STARTS;
    logger.warn({ err: error }, isLast ? NO_GUARD : `the guard ${how}; starting it again`);
    if (!isLast) setTimeout(start, RESTART_DELAY_MS).unref();
  }

  async function dismiss(): Promise<void> {
    dismissed = true;
    if (child === null || child.exitCode !== null || child.pid === undefined) return;
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    child.ref();
    child.stdin?.end('done\n');
    const timer = setTimeout(() => child?.kill('SIGKILL'), DISMISSAL_MS);
    await exited;
    clearTimeout(timer);
  }
}

const NO_GUARD =
  'no guard process: what this process leaves when it is killed stays until another lurkbox starts, or `lurkbox prune`';

function spawnGuard({ identity, engineEnv, cacheDir }: GuardOptions): ChildProcess {
  // The name of a host can change, and what is to be removed is labelled with the one of now.
  const program = [process.execPath, PROGRAM, identity.process, identity.host, cacheDir];
  const [command = '', ...args] = existsSync(SHELL) ? [SHELL, '-c', SCRIPT, ...program] : program;
  const child = spawn(command, args, {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: engineEnv,
  });
  child.unref();
  const pipe = child.stdin;
  pipe?.on('error', () => {}); // The guard is gone; `exit` tells it.
  // It is a socket, which its type does not say; without this it would keep the process alive.
  (pipe as unknown as { unref?: () => void } | null)?.unref?.();
  return child;
}
