import { lstatSync, readFileSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { quotePath } from '../printable.ts';

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/**
 * Why somebody other than root and this user can change what a path leads to: the file, or a folder above it. `null` when
 * nobody can. The path is one without links, or a link whose own place is asked about.
 */
export function isChangedByOthers(path: string): string | null {
  let below: Stats | null = null;
  for (let at = path; ; at = dirname(at)) {
    const stats = statOrNull(at);
    if (stats !== null) {
      const fault = faultOf(at, stats, below);
      if (fault !== null) return fault;
      below = stats;
    }
    if (dirname(at) === at) return null;
  }
}

function faultOf(path: string, stats: Stats, below: Stats | null): string | null {
  const { uid, gid, mode } = stats;
  if (!isOurs(uid)) return `${quotePath(path)} belongs to the user ${uid}`;
  // The mode of a link says nothing.
  if (stats.isSymbolicLink()) return null;
  // In a sticky folder only the owner renames and removes (inode(7)).
  if (stats.isDirectory() && mode & STICKY && (below === null || isOurs(below.uid))) return null;
  if (mode & OTHERS_WRITE) return `${quotePath(path)} can be written to by everybody`;
  if (mode & GROUP_WRITES && !isOwnGroup(gid))
    return `${quotePath(path)} can be written to by the group ${gid}`;
  return null;
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}

/** Of root, of this user alone, or one that nobody else is in. */
function isOwnGroup(gid: number): boolean {
  return gid === 0 || othersInGroup(gid) === 0;
}

/** As the files of this host tell; a group that they do not know may have anybody. */
function othersInGroup(gid: number): number {
  try {
    const group = linesOf('/etc/group').find((fields) => fields[2] === String(gid));
    if (group === undefined) return Number.POSITIVE_INFINITY;
    const ours = new Set<string>();
    let others = 0;
    for (const [name = '', , uid, primary] of linesOf('/etc/passwd')) {
      if (isOurs(Number(uid))) ours.add(name);
      else if (primary === String(gid)) others++;
    }
    const members = (group[3] ?? '').split(',').filter((name) => name !== '' && !ours.has(name));
    return others + members.length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function linesOf(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function statOrNull(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}
