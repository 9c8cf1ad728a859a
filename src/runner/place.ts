import { isArray, slice, stringify } from './primordials.ts';

/** Where a value stands in what it is part of, with every object on the way to it. */
export interface Place {
  readonly parent: Place | null;
  /** Key or index in the parent; the name of the whole for the outermost. */
  readonly segment: string | number;
  /** The object that stands here, once it is gone into. */
  readonly holder: object | null;
  /** How many objects and lists are around it. */
  readonly depth: number;
}

const MAX_SHOWN_SEGMENTS = 12;
const MAX_SEGMENT_CHARS = 80;
/** What can stand in a path without quotes. */
const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;
const isPlainKey = RegExp.prototype.test.bind(PLAIN_KEY);

export function placeOf(name: string): Place {
  return { parent: null, segment: name, holder: null, depth: 0 };
}

export function below(place: Place, holder: object, segment: string | number): Place {
  return { parent: { ...place, holder }, segment, holder: null, depth: place.depth + 1 };
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
    if (at.parent === null || shown++ < MAX_SHOWN_SEGMENTS) path = `${toText(at)}${path}`;
    else if (shown === MAX_SHOWN_SEGMENTS + 1) path = `…${path}`;
  }
  return path;
}

function toText({ parent, segment }: Place): string {
  if (parent === null) return `${segment}`;
  if (typeof segment === 'number' && isArray(parent.holder)) return `[${segment}]`;
  const key = slice(`${segment}`, 0, MAX_SEGMENT_CHARS);
  return isPlainKey(key) ? `.${key}` : `[${stringify(key)}]`;
}
