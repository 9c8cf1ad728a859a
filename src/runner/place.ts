import { slice, stringify } from './primordials.ts';

/** Where a value stands in what it is part of, with every object on the way to it. */
export interface Place {
  readonly parent: Place | null;
  /** Key or index in the parent; the name of the whole for the outermost; `null` for what an object gives for itself. */
  readonly segment: string | number | null;
  /** The object that stands here, once it is gone into. */
  readonly holder: object | null;
  /** How many objects and lists are around it. */
  readonly depth: number;
}

const MAX_SHOWN_SEGMENTS = 12;
const MAX_SEGMENT_CHARS = 80;
/** Keeps twenty warnings within the 16 KiB that the host grants beside the result, whatever their characters. */
const MAX_PATH_CHARS = 140;
/** What can stand in a path without quotes. */
const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;
const isPlainKey = RegExp.prototype.test.bind(PLAIN_KEY);

export function placeOf(name: string): Place {
  return { parent: null, segment: name, holder: null, depth: 0 };
}

/** The same place with the object that stands there, of which the places of its members are made. */
export function inside({ parent, segment, depth }: Place, holder: object): Place {
  return { parent, segment, holder, depth };
}

export function below(parent: Place, segment: string | number | null): Place {
  return { parent, segment, holder: null, depth: parent.depth + 1 };
}

/** The place of the same object further out, where it contains itself; `null` where it does not. */
export function placeAround(place: Place, value: object): Place | null {
  for (let at = place.parent; at !== null; at = at.parent) if (at.holder === value) return at;
  return null;
}

/** `result.rows[3]["two words"]`, cut in the middle where it is long. */
export function pathTo(place: Place): string {
  let path = '';
  let shown = 0;
  for (let at: Place | null = place; at !== null; at = at.parent) {
    if (at.segment === null) continue;
    if (at.parent === null || shown++ < MAX_SHOWN_SEGMENTS) path = `${toText(at)}${path}`;
    else if (shown === MAX_SHOWN_SEGMENTS + 1) path = `…${path}`;
  }
  const half = MAX_PATH_CHARS / 2;
  return path.length <= MAX_PATH_CHARS ? path : `${slice(path, 0, half)}…${slice(path, -half)}`;
}

function toText({ parent, segment }: Place): string {
  if (parent === null) return `${segment}`;
  if (typeof segment === 'number') return `[${segment}]`;
  const key = slice(`${segment}`, 0, MAX_SEGMENT_CHARS);
  return isPlainKey(key) ? `.${key}` : `[${stringify(key)}]`;
}
