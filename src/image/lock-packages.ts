import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { splitDependency } from '../manifest/fields.ts';
import { MAX_LOCK_FILE_BYTES, readLockFile } from '../manifest/npm-lock-file.ts';
import { isLockOf, parseLock, toLockText } from '../manifest/package-lock.ts';
import { readFileIn } from '../storage/files.ts';
import { Folder } from '../storage/folder.ts';
import type { HostPrograms } from './host-programs.ts';
import { npmFailure, runNpm } from './npm.ts';

/** Why npm is called this way. Options that an older npm does not know cost nothing there; the lock file is checked after. */
const NPM_ARGUMENTS: readonly string[] = [
  '--install-links=false',
  '--omit-lockfile-registry-resolved=true',
  // Fixed here, whatever the user's own npm settings say.
  '--package-lock=true',
  '--lockfile-version=3',
  '--omit=dev',
  '--bin-links=false',
  '--install-strategy=hoisted',
  '--audit=false',
  '--fund=false',
  '--force=false',
  '--engine-strict=false',
];

export interface NpmPlace {
  /** Empty, and used for nothing else. */
  readonly folder: string;
  readonly programs: HostPrograms;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has npm choose the packages that `dependencies` (`name@range`) mean now, and answers the text of their lock. Nothing is
 * installed. Throws `DEPENDENCY_FAILED`.
 */
export async function lockDependencies(dependencies: readonly string[], place: NpmPlace): Promise<string> {
  const { folder } = place;
  const ranges = dependencies.map((written) => {
    const { name, range } = splitDependency(written);
    return [name, range === '' ? '*' : range];
  });
  const content = {
    name: 'plugin',
    version: '0.0.0',
    private: true,
    dependencies: Object.fromEntries(ranges),
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(content));
  // The lock holds packages of every platform.
  const args = ['install', ...toPlatformArguments(process.arch)];
  let fault = await npm([...args, '--package-lock-only'], place);
  // What is packed inside of a package can be told only by fetching it, which npm does then by its address.
  if (fault?.includes('EALLOWREMOTE') === true) fault = await npm(args, place);
  if (fault !== null) throw dependencyFailure(dependencies, withHint(fault));
  using project = Folder.open(folder);
  const bytes = await readFileIn(project, 'package-lock.json', MAX_LOCK_FILE_BYTES);
  if (bytes === null)
    throw dependencyFailure(
      dependencies,
      `their lock file is larger than ${MAX_LOCK_FILE_BYTES / 1024 / 1024} MB`,
    );
  const reading = readLockFile(bytes.toString());
  if (!reading.ok)
    throw dependencyFailure(
      dependencies,
      `only packages from the npm registry are installed, but ${reading.faults[0]}`,
      reading.faults,
    );
  if (!isLockOf(reading.lock, dependencies))
    throw dependencyFailure(dependencies, 'npm chose other packages than these');
  const text = toLockText(reading.lock);
  try {
    parseLock(text);
  } catch (cause) {
    throw dependencyFailure(dependencies, `their lock cannot be kept: ${(cause as Error).message}`);
  }
  return text;
}

/** Answers what went wrong. */
async function npm(args: readonly string[], { programs, ...place }: NpmPlace): Promise<string | null> {
  return npmFailure(await runNpm(programs, [...args, ...NPM_ARGUMENTS], place));
}

const UNREACHABLE =
  /\b(?:ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/;

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    UNREACHABLE,
    'The npm registry could not be reached. Look at the network and at `npm config get registry`, and try again.',
  ],
  [/EALLOWREMOTE/, 'One of the packages names an address instead of a package of the registry.'],
];

/** What npm said, and what to do about it. */
export function withHint(fault: string): string {
  const hint = HINTS.find(([pattern]) => pattern.test(fault))?.[1];
  return hint === undefined ? fault : `${fault}\n${hint}`;
}

function toPlatformArguments(cpu: string): string[] {
  return ['--os=linux', `--cpu=${cpu}`, '--libc=glibc'];
}

export function dependencyFailure(
  dependencies: readonly string[],
  reason: string,
  faults: readonly string[] = [],
): LurkboxError {
  return new LurkboxError(
    'DEPENDENCY_FAILED',
    `\`dependencies\` ${dependencies.join(', ')} could not be installed: ${reason}`,
    { problems: faults.map((message) => ({ path: 'dependencies', message })) },
  );
}
