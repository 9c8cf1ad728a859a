// What the scripts share that install something: whether they may, one at a time, and by `apt-get`.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_PATH } from './dockerd.ts';

/** One set-up at a time per machine. The kernel lets go of it when its holder ends, however it ends. */
const LOCK_FILE = '/run/lurkbox-engine.lock';
const LOCK_WAIT_SECONDS = 900;
const LOCK_TAKEN = 75;
const HOLDS_LOCK = '--holds-lock';

/** What `apt-get` needs to run unattended, and to wait for another one instead of failing. */
const APT_GET = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];

export const NO_LOCK = 'Another set-up did not end within 15 min, or flock(1) is missing.';

/** `null` when something can and may be set up here. */
export function whyNotSetUp(): string | null {
  if (process.env['LURKBOX_ENGINE_SETUP'] === 'off') {
    return 'Nothing is set up, because `LURKBOX_ENGINE_SETUP` is `off`.';
  }
  if (!isDebianLike(readOsRelease())) return 'By itself `make` sets up only Debian and its relatives.';
  if (process.getuid?.() !== 0) return 'By itself `make` sets up only as root.';
  return null;
}

function readOsRelease(): string {
  return existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
}

/** Whether an `/etc/os-release` is of Debian, or of a system that calls itself like it. */
export function isDebianLike(osRelease: string): boolean {
  return /^(?:ID|ID_LIKE)=["']?(?:.*\s)?debian(?:\s.*)?["']?$/m.test(osRelease);
}

export function holdsLock(args: readonly string[]): boolean {
  return args.includes(HOLDS_LOCK);
}

/**
 * Runs the script again, with the lock held. By way of flock(1), which holds the lock without passing it on to a daemon
 * that will outlive it. Answers the exit status, or `null` when the lock was not to be had.
 */
export function rerunWithLock(script: string): number | null {
  const status = runLocked(script, '--nonblock');
  if (status !== LOCK_TAKEN) return status;
  console.error('Another run is setting up this machine; waiting for it (about 1 min).');
  const later = runLocked(script, '--timeout', `${LOCK_WAIT_SECONDS}`);
  return later === LOCK_TAKEN ? null : later;
}

function runLocked(script: string, ...waiting: string[]): number {
  const lock = ['--close', '--conflict-exit-code', `${LOCK_TAKEN}`, ...waiting, LOCK_FILE];
  const self = [process.execPath, script, HOLDS_LOCK];
  return spawnSync('flock', [...lock, ...self], { stdio: 'inherit' }).status ?? LOCK_TAKEN;
}

/** With the package lists that are there; only when they do not do, with new ones. The label says what it costs. */
export function installPackages(packages: readonly string[], label: string): boolean {
  if (packages.every(isKnown) && install(packages, label)) return true;
  return step('Fetching package lists (about 10 s)', [...APT_GET, 'update']) && install(packages, label);
}

function isKnown(name: string): boolean {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: systemEnv() });
  return /^\s*Candidate: (?!\(none\))/m.test(stdout ?? '');
}

function install(packages: readonly string[], label: string): boolean {
  return step(`Installing ${packages.join(' and ')} (${label})`, [
    ...APT_GET,
    'install',
    '--no-install-recommends',
    ...packages,
  ]);
}

export function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { env: systemEnv() }).status === 0;
}

export function step(label: string, command: readonly string[]): boolean {
  const script = join(import.meta.dirname, 'step.sh');
  return spawnSync(script, [label, ...command], { stdio: 'inherit', env: systemEnv() }).status === 0;
}

function systemEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: SYSTEM_PATH, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
}
