import { lstatSync } from 'node:fs';
import { quotePath } from '../printable.ts';

/** What this program finds itself; everything else has the code of the system, such as `ENOENT`. */
const REASONS = {
  LINK: 'is or leads through a symbolic link, and no link is followed there',
  NOT_A_FOLDER: 'is not a folder',
  NOT_A_FILE: 'is not a regular file',
  HARD_LINK: 'has another name elsewhere (a hard link); copy the file',
  CHANGED: 'was replaced by something else while it was opened',
  NOT_OURS: 'belongs to another user although it was just made',
  NOT_A_NAME: 'is not the name of one entry of a folder',
  CLOSED: 'is used after it was closed',
  NO_PROC: 'cannot be read, and without it no folder can be opened safely; mount /proc',
  NOT_EMPTIED: 'gets new entries as fast as its entries are removed; find out who writes to it',
} as const;

/** A path that is not opened, read or removed. */
export class PathError extends Error {
  override readonly name = 'PathError';
  /** A key of the table above, or the code of the system. */
  readonly code: string;
  readonly path: string;
  /** For a message that names the path itself: words, or the code of the system. */
  readonly reason: string;

  constructor(code: string, path: string, cause?: unknown) {
    const reason = REASONS[code as keyof typeof REASONS];
    super(
      `${quotePath(path)} ${reason ?? `cannot be used (${code})`}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.path = path;
    this.reason = reason ?? code;
  }
}

/** The same fault with the path that a person knows: in calls it may have been named otherwise (`used`). */
export function toPathError(error: unknown, path: string, used: string | Buffer = path): PathError {
  if (error instanceof PathError) return error;
  const { code = 'no reason given' } = error as NodeJS.ErrnoException;
  // Which of the two is for the words alone: by now something else may be there.
  if (code === 'ELOOP' || (code === 'ENOTDIR' && isLink(used))) return new PathError('LINK', path, error);
  return new PathError(code === 'ENOTDIR' ? 'NOT_A_FOLDER' : code, path, error);
}

function isLink(path: string | Buffer): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
