import { quoteValue } from '../printable.ts';

/** What comes next, in the words of a message. */
export const EXPECTED = {
  value: 'a value',
  firstValue: 'a value or `]`',
  key: 'a key in double quotes',
  firstKey: 'a key in double quotes or `}`',
  colon: '`:`',
  comma: '`,` or the end of what is open',
  text: 'the rest of a text',
  keyText: 'the rest of a key',
  end: 'nothing more',
} as const;
export type Next = keyof typeof EXPECTED;

/** Where the reader stands. */
export interface ReadingPlace {
  readonly bytes: Buffer;
  readonly at: number;
  readonly line: number;
  readonly lineStart: number;
  readonly next: Next;
  /** Whether nothing is open. */
  readonly isOutermost: boolean;
}

/** What was expected, what came, and where. */
export function describeSyntax(place: ReadingPlace, expected: string): string {
  const { bytes, at, line, lineStart, next } = place;
  const [got] = bytes.toString('utf8', at, at + 4);
  if (got === undefined && next === 'value' && place.isOutermost) return 'expected JSON, got nothing';
  const column = bytes.toString('utf8', lineStart, at).length + 1;
  const hint = hintAt(next, got);
  return `not valid JSON: expected ${expected}, got ${got === undefined ? 'the end' : quoteValue(got)} (line ${line} column ${column})${hint === null ? '' : `; ${hint}`}`;
}

/** What people write who think of JavaScript. */
function hintAt(next: Next, got: string | undefined): string | null {
  if (got === '/' || got === '#') return 'JSON has no comments';
  if (got === "'") return 'texts and keys stand in double quotes';
  const isAfterComma = (next === 'key' && got === '}') || (next === 'value' && got === ']');
  return isAfterComma ? 'take away the comma before it' : null;
}
