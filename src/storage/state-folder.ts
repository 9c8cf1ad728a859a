import { accessSync, type BigIntStats, constants, mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';
import { entriesIn } from './entries.ts';
import { Folder } from './folder.ts';
import { isMissing, PathError } from './path-error.ts';

const PRIVATE_MODE = 0o700;
const MODE_BITS = 0o777n;

/** What lurkbox makes in its state folder. Anything else there is somebody's own, and is left alone. */
const FOLDERS: readonly string[] = ['plugins', 'plugins-without-record', 'audit', 'tmp', 'packages'];
/** Databases with what SQLite keeps beside them, their locks, backups and copies. */
const STORE_FILE = /^(?:registry|activity)\.(?:db|lock|backup\.db|v\d+\.db)/;
const AUDIT_FILE = /^(?:head\.db|audit-\d+\.jsonl)/;

/**
 * The state folder of a workspace, made where there is none. Before anything in it is read, made or removed, it and what
 * lurkbox makes in it are known to be real folders and files of this user; a folder that others may enter is closed to
 * them. Links on the way to its parent are followed, this once.
 * @throws LurkboxError `REGISTRY_INVALID` for a link, a file with a second name, or something of another user
 */
export function openStateFolder(path: string): Folder {
  return explained(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    using parent = Folder.open(dirname(path));
    return checked(parent.makeFolder(basename(path)));
  });
}

/** The same without making one: `null` where there is none. */
export function findStateFolder(path: string): Folder | null {
  return explained(path, () => {
    try {
      using parent = Folder.open(dirname(path));
      return checked(parent.folder(basename(path)));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}

/** Whether something can be made, changed and removed in a folder, and the files in it that are told. */
export function isWritable(folder: Folder, files: readonly string[] = []): boolean {
  return [
    folder.here,
    ...files.filter((name) => folder.statsOf(name) !== null).map((name) => folder.at(name)),
  ]
    .map((path) => mayWrite(path))
    .every((may) => may);
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function checked(state: Folder): Folder {
  try {
    assertPrivate(state);
    for (const { name } of entriesIn(state)) assertEntry(state, name.toString());
    return state;
  } catch (error) {
    state[Symbol.dispose]();
    throw error;
  }
}

function assertEntry(state: Folder, name: string): void {
  if (STORE_FILE.test(name)) assertOwnFile(state, name);
  if (!FOLDERS.includes(name)) return;
  try {
    using folder = state.folder(name);
    assertPrivate(folder);
    if (name !== 'audit') return;
    for (const { name: file } of entriesIn(folder))
      if (AUDIT_FILE.test(file.toString())) assertOwnFile(folder, file.toString());
  } catch (error) {
    // Another process may have removed it since it was listed.
    if (!isMissing(error)) throw error;
  }
}

function assertPrivate(folder: Folder): void {
  const { stats } = folder;
  assertOwner(stats, folder.path);
  if ((stats.mode & MODE_BITS) === BigInt(PRIVATE_MODE)) return;
  try {
    folder.setMode(PRIVATE_MODE);
  } catch (error) {
    // On a read-only file system nobody can write, whatever the mode.
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
  }
}

function assertOwnFile(folder: Folder, name: string): void {
  const stats = folder.statsOf(name);
  if (stats === null) return;
  const path = folder.pathOf(name);
  if (!stats.isFile()) throw refused(`Expected a regular file at ${quotePath(path)}, got ${kindOf(stats)}`);
  assertOwner(stats, path);
  if (stats.nlink > 1n) throw refused(`${quotePath(path)} has a second name elsewhere (a hard link)`);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link';
  return stats.isDirectory() ? 'a folder' : 'something else';
}

function assertOwner({ uid }: BigIntStats, path: string): void {
  const user = process.geteuid?.();
  if (user === undefined || uid === BigInt(user)) return;
  throw new LurkboxError(
    'REGISTRY_INVALID',
    `${quotePath(path)} belongs to the user ${uid}, and lurkbox runs as ${user}: what another user keeps is not read, and nothing in it counts as agreed to. Run lurkbox as that user, or move the folder away to begin anew.`,
  );
}

function refused(fault: string): LurkboxError {
  return new LurkboxError(
    'REGISTRY_INVALID',
    `${fault}; nothing was read or changed. Find out who put it there, and remove it.`,
  );
}

function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LurkboxError) throw error;
    if (error instanceof PathError && error.reason !== error.code) throw refused(error.message);
    const { message } = error as Error;
    throw new LurkboxError('REGISTRY_INVALID', `${quotePath(path)} cannot be read and written: ${message}.`, {
      cause: error,
    });
  }
}
