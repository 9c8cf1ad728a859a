import { readFileSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { stepsTo } from '../storage/path-steps.ts';
import type { GuardedPlace } from './guarded-places.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Programs of this host that lurkbox, npm or a person beside it starts by name. */
const PROGRAMS = [
  'npm',
  'npx',
  'corepack',
  'node',
  'sh',
  'strip',
  'apt-get',
  'dpkg-deb',
  'docker',
  'git',
  'lurkbox',
];

/** The system runs what lies in these by itself: by the clock, when packages are installed, and by containerd, which looks into `/opt` first. */
const SCHEDULES = [
  '/var/spool/cron',
  '/var/spool/at',
  '/var/lib/systemd',
  '/var/lib/dpkg',
  '/var/lib/apt',
  '/var/cache/apt',
  '/opt/containerd',
  '/opt/cni',
];

/** Names of folders and files that programs take code, settings or certificates from. */
const NAMING_PLACES =
  /^(?:npm_config_\w+|NODE_EXTRA_CA_CERTS|NODE_COMPILE_CACHE|SSL_CERT_(?:FILE|DIR)|DOCKER_CONFIG|DOCKER_CERT_PATH|XDG_(?:CONFIG|DATA|CACHE|STATE)_HOME|COREPACK_HOME|NVM_DIR|VOLTA_HOME|FNM_DIR|N_PREFIX|ASDF(?:_DATA)?_DIR|PNPM_HOME)$/i;

/**
 * What else of a host decides which code runs on it, beside lurkbox and the folders of the system: all that the PATH leads to,
 * npm with its settings and its cache, the home folder and its settings, and what runs by the clock.
 */
export function placesOfHost(env: Environment, cwd: string = process.cwd()): GuardedPlace[] {
  return [
    ...foldersOfPath(env, cwd).map((path) => ({ what: 'a folder of the PATH', path })),
    ...programPlaces(env, cwd),
    ...homes(env).flatMap(homePlaces),
    ...namedPlaces(env, cwd),
    ...temporaryFolders(env).map((path) => ({
      what: 'a folder for temporary files',
      path,
      reach: 'itself' as const,
    })),
    ...SCHEDULES.map((path) => ({ what: 'what the system runs by itself', path })),
    ...programInUse(),
  ];
}

/** An empty entry is the working folder (execvp(3)). */
function foldersOfPath(env: Environment, cwd: string): string[] {
  const entries = env['PATH'] === undefined ? [] : env['PATH'].split(delimiter);
  return [...new Set(entries.map((entry) => resolve(cwd, entry)))];
}

/** Where links from the PATH lead: a script of a package is run with all that is beside it. */
function programPlaces(env: Environment, cwd: string): GuardedPlace[] {
  return foldersOfPath(env, cwd).flatMap((folder) =>
    PROGRAMS.filter((name) => isThere(join(folder, name))).map((name) => {
      const real = stepsTo(join(folder, name)).at(-1) as string;
      const packages = real.lastIndexOf('/node_modules/');
      const path = packages === -1 ? real : real.slice(0, packages + '/node_modules'.length);
      return { what: `the program ${name}`, path };
    }),
  );
}

function homes(env: Environment): string[] {
  const named = [env['HOME'], homedir(), homeOfUser()].filter((path) => path !== undefined && path !== '/');
  return [...new Set(named as string[])];
}

function homeOfUser(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // A user of a container often has no entry.
    return undefined;
  }
}

/** Shells, npm, ssh, git and Docker read their settings from hidden files of it. */
function homePlaces(home: string): GuardedPlace[] {
  return [
    { what: 'the home folder of this user', path: home, reach: 'itself' },
    { what: 'the settings in the home folder of this user', path: home, reach: 'hidden' },
  ];
}

function namedPlaces(env: Environment, cwd: string): GuardedPlace[] {
  const named = Object.entries(env).filter(([name]) => NAMING_PLACES.test(name));
  const paths = named.flatMap(([, value = '']) => (isPath(value) ? [resolve(cwd, value)] : []));
  const files = [
    ...homes(env).map((home) => join(home, '.npmrc')),
    ...['npm_config_userconfig', 'npm_config_globalconfig'].flatMap((name) => env[name] ?? []),
    ...foldersOfPath(env, cwd).map((folder) => join(dirname(folder), 'etc/npmrc')),
  ];
  return [...paths, ...files.filter(isThere).flatMap((file) => [file, ...pathsIn(file, env)])].map(
    (path) => ({
      what: 'a folder or file that npm or another program is set to',
      path,
    }),
  );
}

const MAX_SETTINGS_BYTES = 256 * 1024;

/** Every value of npm's settings that is a path: `prefix`, `cache`, `cafile`, `script-shell`, `git` and what comes later. */
function pathsIn(file: string, env: Environment): string[] {
  try {
    if (statSync(file).size > MAX_SETTINGS_BYTES) return [];
    const home = env['HOME'] ?? homedir();
    return readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => /^\s*[^#;=\s]+\s*=\s*(.+?)\s*$/.exec(line)?.[1] ?? [])
      .map((value) =>
        value
          .replace(/^["'](.*)["']$/, '$1')
          .replace(/^~(?=\/|$)/, home)
          .replace(/\$\{(\w+)\??\}/g, (_, name: string) => env[name] ?? ''),
      )
      .filter(isPath);
  } catch {
    return [];
  }
}

function isPath(value: string): boolean {
  return value.startsWith('/') && value.length > 1;
}

/** Node and others take compiled code, sockets and locks from folders of known names in it. */
function temporaryFolders(env: Environment): string[] {
  return [...new Set(['/tmp', '/var/tmp', env['TMPDIR'] ?? '/tmp'])].filter(isPath);
}

/** The script that was started, which may be the program that uses lurkbox; its data may lie beside it. */
function programInUse(): GuardedPlace[] {
  const [, script] = process.argv;
  return script === undefined
    ? []
    : [{ what: 'the program that uses lurkbox', path: resolve(script), reach: 'itself' }];
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
