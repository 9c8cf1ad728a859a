import { join } from 'node:path';
import { type CommandResult, lastLines } from './command.ts';
import { createDiskBudget, type DiskBudget } from './disk-watch.ts';
import type { HostPrograms } from './host-programs.ts';

/** What npm may take for one plugin, in one run. */
const NPM_LIMITS = {
  timeoutMs: 3 * 60_000,
  /** All that it writes: lists of versions, and each package twice, in its cache and as a file. */
  bytes: 256 * 1024 * 1024,
  entries: 30_000,
} as const;

const COMMON_ARGUMENTS: readonly string[] = [
  // No code of a package runs on this host, not even to build it.
  '--ignore-scripts',
  '--prefer-offline',
  '--loglevel=error',
  '--logs-max=0',
  '--update-notifier=false',
  // The user's own npm settings hold, except where they would make the command do something else.
  '--global=false',
  '--dry-run=false',
  '--workspaces=false',
  // Only the registry: a git address runs git, the others reach into this host's files and network.
  '--allow-git=none',
  '--allow-remote=none',
  '--allow-file=none',
  '--allow-directory=none',
  '--git=/nonexistent/git',
  '--script-shell=/nonexistent/sh',
  '--node-options=',
];

export interface NpmOptions {
  /** Its working folder and its project, so that no settings of folders above are read. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  /** @default `NPM_LIMITS.timeoutMs` */
  readonly timeoutMs?: number;
  /**
   * What it downloads is kept here instead of in the user's own cache, and counts against the budget. `null` for what lurkbox
   * itself names and pins.
   * @default `npm-cache` in `folder`
   */
  readonly cache?: string | null;
  /** Shared by runs that belong together. @default one of `NPM_LIMITS` for this run */
  readonly disk?: DiskBudget;
}

/**
 * Runs a command of the user's npm, with the registry, the proxies and the tokens that it is set up for, within `NPM_LIMITS`; `null` when
 * there is no npm.
 */
export function runNpm(
  programs: HostPrograms,
  [command = '', ...args]: readonly string[],
  {
    folder,
    signal,
    timeoutMs = NPM_LIMITS.timeoutMs,
    cache = npmCacheOf(folder),
    disk = npmDiskBudget(folder),
  }: NpmOptions,
): Promise<CommandResult | null> {
  const own = [`--prefix=${folder}`, ...(cache === null ? [] : [`--cache=${cache}`])];
  return programs.run('npm', [command, ...COMMON_ARGUMENTS, ...own, ...args], {
    cwd: folder,
    timeoutMs,
    signal,
    ...(cache === null ? {} : { disk }),
  });
}

/** For what runs in a folder, one after the other or side by side. */
export function npmDiskBudget(folder: string): DiskBudget {
  return createDiskBudget({ folder, bytes: NPM_LIMITS.bytes, entries: NPM_LIMITS.entries });
}

/** Where `runNpm` keeps what it downloads for a project in this folder. */
function npmCacheOf(folder: string): string {
  return join(folder, 'npm-cache');
}

/** Why npm failed, in its own words; `null` when it did not. */
export function npmFailure(
  npm: CommandResult | null,
  timeoutMs: number = NPM_LIMITS.timeoutMs,
): string | null {
  if (npm === null) return 'npm was not found; put `npm` on the PATH';
  if (npm.overBudget !== null) return `npm was ended because it wrote ${npm.overBudget}`;
  if (npm.timedOut) return `npm did not finish within ${timeoutMs / 1000} s`;
  if (npm.exitCode === 0) return null;
  if (/heap out of memory|OOMErrorHandler/.test(npm.stderr)) return 'npm needs more memory than it may have';
  const said = npm.stderr
    .split('\n')
    .map((line) => line.replace(/^npm (?:error|ERR!) ?/, ''))
    .filter((line) => line.trim() !== '' && !line.startsWith('Log files were not written'));
  return `npm said: ${lastLines(said.join('\n'))}`;
}
