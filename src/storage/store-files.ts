import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LurkboxError } from '../errors.ts';
import { quotePath } from '../printable.ts';

/** What SQLite keeps beside a database. */
const COMPANIONS = ['-wal', '-shm', '-journal'];

const PRIVATE_MODE = 0o600;

// A store is never opened here but by SQLite: closing a file gives up every lock that the process has on it.

/** A database file with what SQLite keeps beside it. */
export function filesOf(path: string): string[] {
  return [path, ...COMPANIONS.map((ending) => path + ending)];
}

/** The regular file at that path, or `null` where nothing is. Follows no link. @throws LurkboxError `REGISTRY_INVALID` */
export function statRegularFile(path: string): Stats | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (stats.isFile()) return stats;
  const found = stats.isSymbolicLink()
    ? 'a symbolic link'
    : stats.isDirectory()
      ? 'a folder'
      : 'something else';
  throw new LurkboxError(
    'REGISTRY_INVALID',
    `Expected a regular file at ${quotePath(path)}, got ${found}; find out who put it there, and remove it.`,
  );
}

/** Takes from others what they may do with the file. */
export function makePrivate(path: string): void {
  const stats = statRegularFile(path);
  if (stats !== null && (stats.mode & 0o777) !== PRIVATE_MODE) chmodSync(path, PRIVATE_MODE);
}

/** An empty file for the owner alone, where none is yet. */
export function createPrivateFile(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'wx', mode: PRIVATE_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    makePrivate(path);
  }
}

export function copyPrivately(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL);
  chmodSync(to, PRIVATE_MODE);
  syncToDisk(to);
}

export function removeDatabase(path: string): void {
  for (const file of filesOf(path)) rmSync(file, { force: true });
}

/** Puts a finished file in the place of another one, in one step that a crash cannot undo. */
export function replaceFile(finished: string, path: string): void {
  renameSync(finished, path);
  syncToDisk(dirname(path));
}

function syncToDisk(path: string): void {
  const handle = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Renames a database and its companions; answers the new path of the database, `null` when nothing was there. */
export function moveAside(path: string, now: Date): string | null {
  const present = filesOf(path).filter((file) => lstatSync(file, { throwIfNoEntry: false }) !== undefined);
  if (present.length === 0) return null;
  const aside = freeName(`${path}.broken-${now.toISOString().replaceAll(':', '-')}`);
  for (const file of present) renameSync(file, aside + file.slice(path.length));
  syncToDisk(dirname(path));
  return aside;
}

function freeName(wanted: string): string {
  const isFree = (name: string) =>
    filesOf(name).every((file) => lstatSync(file, { throwIfNoEntry: false }) === undefined);
  let name = wanted;
  for (let count = 2; !isFree(name); count++) name = `${wanted}-${count}`;
  return name;
}
