import { randomUUID } from 'node:crypto';
import { rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Name } from './descriptor.ts';
import { entriesIn } from './entries.ts';
import type { Folder } from './folder.ts';
import { isMissing, PathError, toPathError } from './path-error.ts';

/** Each pass takes away one level. Deeper trees, and folders that somebody fills meanwhile, are given up. */
const MAX_PASSES = 20_000;
/** Calls of the file system in one turn of the event loop. */
const STEPS_PER_TURN = 100;

/**
 * Removes an entry with everything in it; one that is not there is fine. Only what is in the folder is removed: a link goes
 * itself, and a folder that becomes a link meanwhile is not followed. At most three descriptors are open, however deep it
 * is. @throws PathError
 */
export function removeTree(parent: Folder, name: Name): void {
  for (const _ of removal(parent, name));
}

/** The same for trees that may be large: others have their turn meanwhile. */
export async function removeTreeLater(parent: Folder, name: Name): Promise<void> {
  using _ = parent.hold();
  let steps = 0;
  for (const _step of removal(parent, name)) if (++steps % STEPS_PER_TURN === 0) await nextTurn();
}

function* removal(parent: Folder, name: Name): Generator<void> {
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    if (removed(parent, name)) return;
    yield* emptying(parent, name);
  }
  throw new PathError('NOT_EMPTIED', parent.pathOf(name));
}

/** What a folder holds goes; folders in its folders are moved up into it first, so that the depth never grows. */
function* emptying(parent: Folder, name: Name): Generator<void> {
  using folder = open(parent, name);
  if (folder === null) return;
  for (const { name: child } of entriesIn(folder)) {
    yield;
    if (removed(folder, child)) continue;
    yield* moveUp(folder, child);
    removed(folder, child);
  }
}

function* moveUp(to: Folder, name: Name): Generator<void> {
  using folder = open(to, name);
  if (folder === null) return;
  for (const { name: child } of entriesIn(folder)) {
    yield;
    if (!removed(folder, child)) folder.rename(child, to, `.removed-${randomUUID()}`);
  }
}

/** `null`: it is no folder any more, and the next pass sees what it is. */
function open(parent: Folder, name: Name): Folder | null {
  try {
    return parent.folder(name);
  } catch (error) {
    if (
      isMissing(error) ||
      (error instanceof PathError && (error.code === 'LINK' || error.code === 'NOT_A_FOLDER'))
    )
      return null;
    throw error;
  }
}

/** Whether nothing has that name any more; a folder that is not empty stays. */
function removed(parent: Folder, name: Name): boolean {
  try {
    if (parent.statsOf(name)?.isDirectory()) rmdirSync(parent.at(name));
    else unlinkSync(parent.at(name));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    // A folder that is not empty, and what became a folder, or none, since it was looked at.
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EISDIR' || code === 'ENOTDIR') return false;
    throw toPathError(error, parent.pathOf(name));
  }
}
