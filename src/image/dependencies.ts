import { LurkboxError } from '../errors.ts';
import { isLockOf, parseLock } from '../manifest/package-lock.ts';
import { type FetchOptions, fetchPackages } from './fetch-packages.ts';
import type { LayerEntry } from './layer.ts';
import { dependencyFailure, withHint } from './lock-packages.ts';
import { lockedPackages } from './locked-packages.ts';
import { type Architecture, NODE_BINARIES } from './node-binary.ts';
import { unpackPackages } from './unpack-packages.ts';

/** What a plugin says that it needs, and the text of the lock of what that is. */
export interface LockedDependencies {
  readonly dependencies: readonly string[];
  readonly lock: string;
}

export interface DependencyOptions extends FetchOptions {
  readonly architecture: Architecture;
}

/**
 * The files of exactly the packages of a lock as entries of a layer, below `node_modules/`. npm fetches their tarballs, which
 * must have the hashes of the lock; it unpacks nothing, and no script of any package runs. Throws `DEPENDENCY_FAILED`, also
 * while they are read.
 */
export async function installDependencies(
  { dependencies, lock }: LockedDependencies,
  { architecture, ...options }: DependencyOptions,
): Promise<AsyncIterable<LayerEntry>> {
  try {
    const { cpu } = NODE_BINARIES[architecture];
    const packages = lockedPackages(readLock(lock, dependencies), dependencies, {
      os: 'linux',
      cpu,
      libc: 'glibc',
    });
    const files = await fetchPackages(packages, options);
    return named(dependencies, unpackPackages(packages, files, options.signal));
  } catch (error) {
    throw toFailure(dependencies, error);
  }
}

function readLock(text: string, dependencies: readonly string[]) {
  const lock = tryParse(text);
  if (isLockOf(lock, dependencies)) return lock;
  throw new LurkboxError('DEPENDENCY_FAILED', 'their lock is one of other packages');
}

function tryParse(text: string) {
  try {
    return parseLock(text);
  } catch (cause) {
    const message = `their lock cannot be read: ${(cause as Error).message}`;
    throw new LurkboxError('DEPENDENCY_FAILED', message, { cause });
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
  return dependencyFailure(dependencies, withHint(error.message));
}
