import { realpathSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { LurkboxError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { quotePath } from '../printable.ts';
import { copyFile } from '../storage/files.ts';
import { Folder } from '../storage/folder.ts';
import { isMissing, PathError } from '../storage/path-error.ts';
import { findStateFolder, isWritable, openStateFolder } from '../storage/state-folder.ts';
import { createTempFolder, type TempFolder } from '../storage/temp-folder.ts';
import { CopiedFiles, FilesInPlace, type PluginFiles } from './install/plugin-files.ts';
import { ReadOnlyFiles } from './install/read-only-files.ts';
import type { PluginRecord } from './registry/record.ts';
import { PluginRegistry } from './registry/registry.ts';

/** Folder of a workspace that lurkbox keeps its own things in. */
export const STATE_FOLDER = '.lurkbox';

/** In the state folder. */
export const AUDIT_FOLDER = 'audit';

/** Where what is known of plugins is read and kept, or why it is not kept. */
export interface StatePlace extends AsyncDisposable {
  /** Of the stores; `null`: they are in memory. */
  readonly storeFolder: string | null;
  /** Of the audit log; `null`: none is written. */
  readonly auditFolder: string | null;
  readonly files: PluginFiles;
  /** For what is there only while something goes on. */
  readonly cacheDir: string;
  /** Whether what changes is there the next time. */
  readonly isKept: boolean;
  /** Why nothing is kept although it was meant to be; a sentence for a person. */
  readonly notice: string | null;
}

/**
 * Looks at the state folder of a workspace before anything in it is read. One that cannot be written, as on a read-only
 * file system, is read from a copy.
 * @throws LurkboxError `REGISTRY_INVALID` where it is another user's, or is not what lurkbox makes
 */
export async function openStatePlace({
  persist,
  workspaceRoot,
}: {
  persist: boolean;
  workspaceRoot: string;
}): Promise<StatePlace> {
  const path = join(workspaceRoot, STATE_FOLDER);
  if (!persist) return inMemory(usableCache(path), null);
  using state = findStateFolder(path);
  if (state === null) {
    if (mayBeMade(workspaceRoot)) return kept(path);
    const notice = `${quotePath(workspaceRoot)} cannot be written: nothing is kept, neither what is installed and agreed to nor statistics, events and the audit log.`;
    return inMemory(ownCache(), notice);
  }
  return isWritable(state, ['registry.db', 'activity.db']) ? kept(path) : await fromCopy(state);
}

/**
 * What a workspace knows of plugins, for a process that keeps nothing there. Nothing in it is written.
 * @throws LurkboxError `REGISTRY_INVALID` where it is another user's, or is not what lurkbox makes
 */
export async function readKeptRecords({
  workspaceRoot,
  logger,
  maxBytes = MAX_COPIED_BYTES,
}: {
  workspaceRoot: string;
  logger: Logger;
  /** What has to be copied for that. */
  maxBytes?: number;
}): Promise<ReadonlyMap<string, PluginRecord>> {
  using state = findStateFolder(join(workspaceRoot, STATE_FOLDER));
  if (state === null) return new Map();
  await using copies = await createTempFolder(ownCache());
  copyStores(state, copies, { names: STORES.slice(0, 2), maxBytes });
  const registry = await PluginRegistry.open({
    stateFolder: copies.path,
    workspaceRoot,
    isKept: false,
    logger,
  });
  const records = new Map(registry.list().map((record) => [record.name, record]));
  await registry.close();
  return records;
}

function kept(path: string): StatePlace {
  return {
    storeFolder: path,
    auditFolder: join(path, AUDIT_FOLDER),
    files: new CopiedFiles(path),
    cacheDir: path,
    isKept: true,
    notice: null,
    [Symbol.asyncDispose]: async () => {},
  };
}

function inMemory(cacheDir: string, notice: string | null): StatePlace {
  return {
    storeFolder: null,
    auditFolder: null,
    files: new FilesInPlace(),
    cacheDir,
    isKept: false,
    notice,
    [Symbol.asyncDispose]: async () => {},
  };
}

/** SQLite writes beside a database that it only reads, so it is given a copy. */
async function fromCopy(state: Folder): Promise<StatePlace> {
  const cacheDir = ownCache();
  const copies = await createTempFolder(cacheDir);
  try {
    copyStores(state, copies);
  } catch (error) {
    await copies[Symbol.asyncDispose]();
    throw error;
  }
  return {
    storeFolder: copies.path,
    auditFolder: null,
    files: new ReadOnlyFiles(new CopiedFiles(state.path)),
    cacheDir,
    isKept: false,
    notice: `${quotePath(state.path)} cannot be written: it is read as it is, and nothing is kept, neither what is installed and agreed to now nor statistics, events and the audit log.`,
    [Symbol.asyncDispose]: () => copies[Symbol.asyncDispose](),
  };
}

const STORES = ['registry.db', 'registry.backup.db', 'activity.db', 'activity.backup.db'];
/** Larger ones are not copied for a command. */
const MAX_COPIED_BYTES = 1024 * 1024 * 1024;
/** Another machine may be writing to what is read-only here. */
const TRIES = 5;

function copyStores(
  state: Folder,
  { folder }: TempFolder,
  { names = STORES, maxBytes = MAX_COPIED_BYTES }: { names?: readonly string[]; maxBytes?: number } = {},
): void {
  for (let left = TRIES; ; left--) {
    const before = describeStores(state, names, maxBytes);
    for (const { name } of before) {
      folder.remove(name);
      copyFile(state, name, folder);
    }
    if (JSON.stringify(before) === JSON.stringify(describeStores(state, names, maxBytes))) return;
    if (left === 1)
      throw new LurkboxError(
        'REGISTRY_INVALID',
        `${quotePath(state.path)} cannot be written here and is being written elsewhere; try again when it rests.`,
      );
  }
}

function describeStores(
  state: Folder,
  names: readonly string[],
  maxBytes: number,
): { name: string; size: string; changed: string }[] {
  const present = names
    .flatMap((name) => [name, `${name}-wal`])
    .flatMap((name) => {
      const stats = state.statsOf(name);
      return stats === null ? [] : [{ name, stats }];
    });
  const total = present.reduce((sum, { stats }) => sum + Number(stats.size), 0);
  if (total > maxBytes)
    throw new LurkboxError(
      'HOST_RESOURCES',
      `The stores in ${quotePath(state.path)} cannot be written, and are too large to be read from a copy: ${total} bytes, at most ${maxBytes}.`,
    );
  return present.map(({ name, stats }) => ({ name, size: `${stats.size}`, changed: `${stats.mtimeNs}` }));
}

function mayBeMade(workspaceRoot: string): boolean {
  try {
    using root = Folder.open(workspaceRoot);
    return isWritable(root);
  } catch (error) {
    if (isMissing(error)) return true;
    throw error instanceof PathError
      ? new LurkboxError('OPTIONS_INVALID', `The workspace ${error.message}.`, { cause: error })
      : error;
  }
}

/** Nothing that is kept is read: where the state folder is of no use, another place will do. */
function usableCache(path: string): string {
  try {
    using state = findStateFolder(path);
    const isUsable = state === null ? mayBeMade(dirname(path)) : isWritable(state);
    return isUsable ? path : ownCache();
  } catch (error) {
    if (error instanceof LurkboxError) return ownCache();
    throw error;
  }
}

/** Of this user, for all workspaces that cannot be written. */
function ownCache(): string {
  const path = join(realpathSync(tmpdir()), `lurkbox-${process.geteuid?.() ?? userInfo().username}`);
  using _ = openStateFolder(path);
  return path;
}
