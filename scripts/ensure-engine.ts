// node scripts/ensure-engine.ts
// A container engine for `make`: the one that answers, else, as root on a Debian-like system, the distribution's own.
// Exits with 3 when there is none in the end.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EngineAddress, findEngine } from '../src/engine/find.ts';
import { SYSTEM_DOCKERD, SYSTEM_PATH } from './dockerd.ts';

const EXIT_NO_ENGINE = 3;
const PACKAGE = 'docker.io';
/** One set-up at a time per machine. The kernel lets go of it when its holder ends, however it ends. */
const LOCK_FILE = '/run/lurkbox-engine.lock';
const LOCK_WAIT_SECONDS = 900;
const LOCK_TAKEN = 75;
const HOLDS_LOCK = '--holds-lock';

/** What `apt-get` needs to run unattended, and to wait for another one instead of failing. */
const APT_GET = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];

async function main(args: readonly string[]): Promise<number> {
  const engine = await findEngine().catch((error: Error) => error);
  if (!(engine instanceof Error)) return reportEngine(engine);

  const obstacle = whyNotSetUp();
  if (obstacle !== null) return reportNone(`${engine.message}\n${obstacle}`);
  if (!args.includes(HOLDS_LOCK)) return rerunWithLock();

  const failure = setUpEngine();
  if (failure !== null) return reportNone(failure);
  return findEngine().then(reportEngine, (error: Error) => reportNone(error.message));
}

function reportEngine({ url }: EngineAddress): number {
  console.error(`Container engine: ${url}`);
  return 0;
}

function reportNone(message: string): number {
  console.error(message);
  return EXIT_NO_ENGINE;
}

/** `null` when an engine can and may be set up here. */
function whyNotSetUp(): string | null {
  if (process.env['DOCKER_HOST']) return 'None is set up, because `DOCKER_HOST` names the one to use.';
  if (process.env['LURKBOX_ENGINE_SETUP'] === 'off') {
    return 'None is set up, because `LURKBOX_ENGINE_SETUP` is `off`.';
  }
  if (!isDebianLike(readOsRelease())) return 'By itself `make` sets one up only on Debian and its relatives.';
  if (process.getuid?.() !== 0) return 'By itself `make` sets one up only as root.';
  return null;
}

function readOsRelease(): string {
  return existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
}

/** Whether an `/etc/os-release` is of Debian, or of a system that calls itself like it. */
export function isDebianLike(osRelease: string): boolean {
  return /^(?:ID|ID_LIKE)=["']?(?:.*\s)?debian(?:\s.*)?["']?$/m.test(osRelease);
}

/** By way of flock(1), which holds the lock without passing it on to the daemon that will outlive it. */
function rerunWithLock(): number {
  const status = runLocked('--nonblock');
  if (status !== LOCK_TAKEN) return status;
  console.error('Another run is setting up the engine; waiting for it (about 1 min).');
  const later = runLocked('--timeout', `${LOCK_WAIT_SECONDS}`);
  return later === LOCK_TAKEN ? reportNone(`It did not end within ${LOCK_WAIT_SECONDS / 60} min.`) : later;
}

function runLocked(...waiting: string[]): number {
  const lock = ['--close', '--conflict-exit-code', `${LOCK_TAKEN}`, ...waiting, LOCK_FILE];
  const self = [process.execPath, import.meta.filename, HOLDS_LOCK];
  return spawnSync('flock', [...lock, ...self], { stdio: 'inherit' }).status ?? EXIT_NO_ENGINE;
}

/** `null`, or what went wrong. */
function setUpEngine(): string | null {
  const installed = runs('dockerd', '--version');
  announce(installed);
  if (!installed && !installPackage()) {
    return `\`${PACKAGE}\` could not be installed. Install and start Docker by hand, then run this again.`;
  }
  if (!startEngine()) return 'The engine could not be started. Start Docker by hand, then run this again.';
  return null;
}

function announce(installed: boolean): void {
  const what = installed ? 'starting the one that is installed' : `installing \`${PACKAGE}\` and starting it`;
  const stop = hasSystemd() ? 'systemctl stop docker docker.socket' : 'make engine-stop';
  console.error(
    `No container engine answers: ${what}. It keeps running afterwards (\`${stop}\` ends it); ` +
      '`LURKBOX_ENGINE_SETUP=off` prevents this.',
  );
}

/** With the package lists that are there; only when they do not do, with new ones. */
function installPackage(): boolean {
  if (isPackageKnown() && install()) return true;
  return step('Fetching package lists (about 10 s)', [...APT_GET, 'update']) && install();
}

function isPackageKnown(): boolean {
  const { stdout } = spawnSync('apt-cache', ['policy', PACKAGE], { encoding: 'utf8', env: systemEnv() });
  return /^\s*Candidate: (?!\(none\))/m.test(stdout);
}

function install(): boolean {
  return step(`Installing ${PACKAGE} (about 30 s, 300 MB on disk)`, [
    ...APT_GET,
    'install',
    '--no-install-recommends',
    PACKAGE,
  ]);
}

/** Installing the package starts it where there is systemd; a second start does no harm. */
function startEngine(): boolean {
  if (hasSystemd()) return step('Starting docker.service (about 5 s)', ['systemctl', 'start', 'docker']);
  return step(`Starting dockerd (about 5 s, log in ${SYSTEM_DOCKERD.logFile})`, [
    process.execPath,
    join(import.meta.dirname, 'dockerd.ts'),
    'start',
  ]);
}

/** As sd_booted(3) tells it. */
function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { env: systemEnv() }).status === 0;
}

function step(label: string, command: readonly string[]): boolean {
  const script = join(import.meta.dirname, 'step.sh');
  return spawnSync(script, [label, ...command], { stdio: 'inherit', env: systemEnv() }).status === 0;
}

function systemEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: SYSTEM_PATH, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
