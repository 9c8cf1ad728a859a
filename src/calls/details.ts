import { escapeAndCut, escapeControls, escapeControlsInLines } from '../printable.ts';

/** Beside its characters a cut text is quoted. */
const MAX_DETAILS_CHARS = 40_000;

interface Room {
  chars: number;
  isFull: boolean;
}

/**
 * What an error has beside its message, as the plugin's side sent it: it goes wherever the error goes, so its texts are made
 * harmless as the message is, and what is larger than the runner makes it is cut as text. Walks no further than that.
 */
export function toDetails(details: unknown): unknown {
  if (details === undefined) return null;
  const room = { chars: MAX_DETAILS_CHARS, isFull: false };
  const copy = copyInto(room, details);
  return room.isFull ? escapeAndCut(JSON.stringify(copy), MAX_DETAILS_CHARS) : copy;
}

/** Plain JSON of a bounded depth, as it was read. */
function copyInto(room: Room, value: unknown): unknown {
  if (typeof value === 'string') return copyText(room, value, escapeControlsInLines);
  if (typeof value !== 'object' || value === null) {
    room.chars -= String(value).length + 1;
    return value;
  }
  room.chars -= 2;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (const member of value) {
      if (isFull(room)) break;
      list.push(copyInto(room, member));
    }
    return list;
  }
  const members: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    if (isFull(room)) break;
    const name = copyText(room, key, escapeControls);
    members.push([name, copyInto(room, (value as Record<string, unknown>)[key])]);
  }
  return Object.fromEntries(members);
}

function copyText(room: Room, text: string, clean: (text: string) => string): string {
  const most = Math.max(0, room.chars);
  if (text.length > most) room.isFull = true;
  const copy = clean(text.slice(0, most));
  room.chars -= copy.length + 3;
  return copy;
}

function isFull(room: Room): boolean {
  if (room.chars <= 0) room.isFull = true;
  return room.isFull;
}
