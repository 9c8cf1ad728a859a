/** Of a text, or of blanks. A key has to be read in one step: whoever stores under it works on all of it at once. */
export const BYTES_PER_STEP = 16 * 1024;

export interface TextPiece {
  /** `null` where it holds escapes that JSON does not have. */
  readonly piece: string | null;
  /** Where it ends in the bytes. */
  readonly end: number;
  /** Whether the text ends here too, or what is no text begins. */
  readonly isWhole: boolean;
}

/** What one step reads of a text, most often all of it. */
export function readPiece(bytes: Buffer, start: number): TextPiece {
  const until = Math.min(start + BYTES_PER_STEP, bytes.length);
  let end = start;
  let isAscii = true;
  let isEscaped = false;
  for (; end < until; end++) {
    const byte = bytes[end] as number;
    if (byte === 0x22 || byte < 0x20) break;
    if (byte >= 0x80) isAscii = false;
    else if (byte === 0x5c) {
      isEscaped = true;
      // No piece ends inside an escape …
      end += bytes[end + 1] === 0x75 ? 5 : 1;
    }
  }
  const isWhole = end < until;
  // … or inside a character.
  while (!isWhole && ((bytes[end] ?? 0) & 0xc0) === 0x80) end++;
  return { piece: decode(bytes.toString(isAscii ? 'latin1' : 'utf8', start, end), isEscaped), end, isWhole };
}

function decode(text: string, isEscaped: boolean): string | null {
  if (!isEscaped) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return null;
  }
}
