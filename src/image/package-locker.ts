import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { type Logger, SILENT_LOGGER } from '../logger.ts';
import { createTempFolder } from '../storage/temp-folder.ts';
import { type ImageProgress, toReport } from './build-context.ts';
import type { BuildQueue } from './build-queue.ts';
import type { HostPrograms } from './host-programs.ts';
import { lockDependencies } from './lock-packages.ts';
import { createSharedBuilds } from './shared-builds.ts';

export interface PackageLockerOptions {
  /** Temporary folders are made below it. */
  readonly cacheDir: string;
  readonly programs: HostPrograms;
  /** Turns of builds: a lock takes one. */
  readonly queue: BuildQueue;
  /** @default silent */
  readonly logger?: Logger;
  readonly onProgress?: (progress: ImageProgress) => void;
}

/** Chooses the npm packages of plugins; needs no engine. */
export interface PackageLocker {
  /**
   * The text of the lock that these dependencies of a plugin have now. Calls for the same ones at the same time share one
   * run of npm. Throws `DEPENDENCY_FAILED`, `HOST_RESOURCES` or the signal's reason.
   */
  lock(plugin: string, dependencies: readonly string[], signal?: AbortSignal): Promise<string>;
}

export function createPackageLocker(options: PackageLockerOptions): PackageLocker {
  const { cacheDir, programs, queue, logger = SILENT_LOGGER, onProgress } = options;
  const share = createSharedBuilds<string>();
  const report = toReport(logger, onProgress);

  return {
    lock: (plugin, dependencies, signal) =>
      share(
        JSON.stringify([...dependencies].sort()),
        (ending) => queue.run(plugin, ending, (locking) => run(plugin, dependencies, locking)),
        signal,
      ),
  };

  async function run(plugin: string, dependencies: readonly string[], signal: AbortSignal): Promise<string> {
    report('lockDependencies', `of ${plugin}`);
    try {
      await using temp = await createTempFolder(cacheDir);
      const folder = join(temp.path, 'lock');
      await mkdir(folder);
      return await lockDependencies(dependencies, { folder, programs, signal });
    } catch (error) {
      throw toLockError(error);
    }
  }
}

function toLockError(cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause;
  return new LurkboxError('HOST_RESOURCES', `no disk is left to lock npm packages: ${message}`, { cause });
}
