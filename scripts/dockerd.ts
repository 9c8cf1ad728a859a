// node scripts/dockerd.ts start|stop
// Runs `dockerd` on a machine without a service manager, and stops it again if, and only if, this started it.

import { spawn } from 'node:child_process';
import { openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toUnixAddress } from '../src/engine/docker/endpoint.ts';
import { firstAnswering } from '../src/engine/docker/find.ts';

/** One daemon: what runs, and the files it and we keep about it. */
export interface Dockerd {
  readonly command: string;
  readonly args: readonly string[];
  readonly socketPath: string;
  /** Written by the daemon itself, which refuses to start while it names a process that lives. */
  readonly pidFile: string;
  readonly logFile: string;
  /** Written by us: says which process is ours to stop. */
  readonly recordFile: string;
}

/** `dockerd` with its own defaults. `/run` is empty after a boot, as the record has to be. */
export const SYSTEM_DOCKERD: Dockerd = {
  command: 'dockerd',
  args: [],
  socketPath: '/var/run/docker.sock',
  pidFile: '/var/run/docker.pid',
  logFile: '/var/log/lurkbox-dockerd.log',
  recordFile: '/run/lurkbox-dockerd.json',
};

/** Not ours, which starts with a folder of the checkout: dockerd looks for `runc` and `iptables` there. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const START_DEADLINE_MS = 60_000;
/** The daemon itself gives its containers 15 s to end. */
const STOP_DEADLINE_MS = 30_000;
const POLL_MS = 200;
const LOG_LINES = 15;

/** A process that cannot be mistaken for a later one of the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since boot, as the kernel counts it. */
  readonly startTime: string;
}

/**
 * Starts the daemon, unless one runs already, and returns when it answers.
 * @throws `Error` with the last lines of its log when it ends or does not answer in time; it is stopped then
 */
export async function startDockerd(dockerd: Dockerd, deadlineMs: number = START_DEADLINE_MS): Promise<void> {
  const running = runningDaemon(dockerd);
  if (running !== null) return waitUntilItAnswers(dockerd, running, deadlineMs);

  rmSync(dockerd.pidFile, { force: true });
  const started = spawnDaemon(dockerd);
  writeFileSync(dockerd.recordFile, JSON.stringify(started));
  try {
    await waitUntilItAnswers(dockerd, started, deadlineMs);
  } catch (error) {
    await stopDockerd(dockerd);
    throw error;
  }
}

/** Stops the daemon that `startDockerd` started. Answers false, and touches nothing, when there is none. */
export async function stopDockerd(dockerd: Dockerd): Promise<boolean> {
  const started = readRecord(dockerd);
  rmSync(dockerd.recordFile, { force: true });
  if (started === null || !isAlive(started)) return false;
  await endDaemon(started, 'SIGTERM');
  return true;
}

/** Sends the signal, and returns when the daemon is gone. */
export async function endDaemon(daemon: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (!isAlive(daemon)) return;
  process.kill(daemon.pid, signal);
  const deadline = Date.now() + STOP_DEADLINE_MS;
  while (isAlive(daemon)) {
    if (Date.now() > deadline)
      throw new Error(`\`dockerd\` (pid ${daemon.pid}) did not end after ${signal}.`);
    await sleep(POLL_MS);
  }
}

/** The daemon of the pid file, which outlives the daemon when that was killed: the pid may be anybody's by now. */
function runningDaemon({ pidFile, command }: Dockerd): ProcessIdentity | null {
  const pid = Number(readOrEmpty(pidFile));
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  if (readOrEmpty(`/proc/${pid}/comm`).trim() !== basename(command)) return null;
  return identify(pid);
}

/** In a session of its own, so that neither Ctrl-C nor the end of `make` reaches it. */
function spawnDaemon({ command, args, logFile }: Dockerd): ProcessIdentity {
  const log = openSync(logFile, 'w');
  const child = spawn(command, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: SYSTEM_PATH },
  });
  child.on('error', () => {}); // Told here: there is no pid then.
  child.unref();
  if (child.pid === undefined) throw new Error(`\`${command}\` could not be started: is it installed?`);
  return identify(child.pid) ?? { pid: child.pid, startTime: 'ended at once' };
}

/** @throws `Error` with the last lines of its log when the daemon ends or does not answer in time */
export async function waitUntilItAnswers(
  dockerd: Pick<Dockerd, 'socketPath' | 'logFile'>,
  daemon: ProcessIdentity,
  deadlineMs: number = START_DEADLINE_MS,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  const address = toUnixAddress(dockerd.socketPath, { chosenBy: 'started here', isChosen: true });
  while (true) {
    if (await firstAnswering([address]).catch(() => null)) return;
    if (!isAlive(daemon)) throw new Error(withLog('`dockerd` ended before it answered', dockerd));
    if (Date.now() > deadline) {
      const seconds = deadlineMs / 1_000;
      throw new Error(
        withLog(
          `\`dockerd\` (pid ${daemon.pid}) did not answer on \`${address.url}\` in ${seconds} s`,
          dockerd,
        ),
      );
    }
    await sleep(POLL_MS);
  }
}

function withLog(message: string, { logFile }: Pick<Dockerd, 'logFile'>): string {
  const lines = readOrEmpty(logFile).trimEnd().split('\n').slice(-LOG_LINES);
  return [`${message}. The end of \`${logFile}\`:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function readRecord({ recordFile }: Dockerd): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(recordFile, 'utf8')) as ProcessIdentity;
  } catch {
    return null;
  }
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identify(pid)?.startTime === startTime;
}

/** `null` when there is no such process, or only its exit code waits to be fetched. */
export function identify(pid: number): ProcessIdentity | null {
  // The name of the program, in parentheses, may hold anything; state is the first field after it, start time the 20th.
  const fields = readOrEmpty(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return startTime === undefined || state === 'Z' ? null : { pid, startTime };
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function main(action: string | undefined): Promise<void> {
  if (action === 'start') return startDockerd(SYSTEM_DOCKERD);
  if (action !== 'stop') throw new Error('Expected `start` or `stop`.');
  const stopped = await stopDockerd(SYSTEM_DOCKERD);
  console.log(
    stopped ? 'The engine is stopped.' : 'No engine runs that `make` started; nothing was stopped.',
  );
}

if (import.meta.main) {
  await main(process.argv[2]).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
