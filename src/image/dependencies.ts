import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { splitDependency } from '../manifest/fields.ts';
import { type FetchOptions, fetchPackages } from './fetch-packages.ts';
import type { LayerEntry } from './layer.ts';
import { checkLockFile } from './lock-file.ts';
import { lockedPackages } from './locked-packages.ts';
import { type Architecture, NODE_BINARIES } from './node-binary.ts';
import { npmFailure, runNpm } from './npm.ts';
import { unpackPackages } from './unpack-packages.ts';

/** Why npm is called this way. Options that an older npm does not know cost nothing there; the lock file is checked after. */
const LOCK_ARGUMENTS: readonly string[] = [
  'install',
  '--package-lock-only',
  '--install-links=false',
  '--omit-lockfile-registry-resolved=true',
  // Nothing that the user's own npm settings may say otherwise.
  '--package-lock=true',
  '--lockfile-version=3',
  '--omit=dev',
  '--bin-links=false',
  '--install-strategy=hoisted',
  '--audit=false',
  '--fund=false',
];

export interface DependencyOptions extends FetchOptions {
  readonly architecture: Architecture;
}

/**
 * The files of npm packages (`name@range`) as entries of a layer, below `node_modules/`. npm chooses the versions and fetches
 * their tarballs; it unpacks nothing, and no script of any package runs. Throws `DEPENDENCY_FAILED`, also while they are read.
 */
export async function installDependencies(
  dependencies: readonly string[],
  { folder, architecture, ...options }: DependencyOptions,
): Promise<AsyncIterable<LayerEntry>> {
  const { programs, signal } = options;
  const project = join(folder, 'lock');
  await mkdir(project);
  await writePackageFile(project, dependencies);
  const npm = await runNpm(programs, LOCK_ARGUMENTS, { folder: project, signal });
  const fault = npmFailure(npm);
  if (fault !== null) throw failure(dependencies, `${fault}${hintFor(fault)}`);
  const lock = await readLock(project, dependencies);
  await rm(project, { recursive: true });
  try {
    const { cpu } = NODE_BINARIES[architecture];
    const packages = lockedPackages(lock, { os: 'linux', cpu, libc: 'glibc' });
    const files = await fetchPackages(packages, { folder, ...options });
    return named(dependencies, unpackPackages(packages, files, signal));
  } catch (error) {
    throw toFailure(dependencies, error);
  }
}

async function* named(
  dependencies: readonly string[],
  entries: AsyncIterable<LayerEntry>,
): AsyncGenerator<LayerEntry> {
  try {
    yield* entries;
  } catch (error) {
    throw toFailure(dependencies, error);
  }
}

function toFailure(dependencies: readonly string[], error: unknown): unknown {
  if (!(error instanceof LurkboxError) || error.code !== 'DEPENDENCY_FAILED') return error;
  return failure(dependencies, error.message);
}

function hintFor(fault: string): string {
  return fault.includes('EALLOWREMOTE')
    ? '\nOne of the packages names an address instead of a package of the registry, or bundles other packages.'
    : '';
}

async function writePackageFile(folder: string, dependencies: readonly string[]): Promise<void> {
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
}

async function readLock(folder: string, dependencies: readonly string[]): Promise<unknown> {
  const text = await readFile(join(folder, 'package-lock.json'), 'utf8');
  const faults = checkLockFile(text);
  if (faults.length === 0) return JSON.parse(text);
  throw failure(dependencies, `only packages from the npm registry are installed, but ${faults[0]}`, faults);
}

function failure(
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
