/**
 * Text that strangers wrote ends up in terminals, logs and prompts. Characters that steer those instead of being read
 * are refused where text comes in and escaped where it is quoted: controls, lone surrogates, line separators,
 * bidirectional overrides, invisible characters and tags. The joiners U+200C and U+200D stay: words and emoji need them.
 */
const STEERING =
  '\\p{Cc}\\p{Cs}\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e01ef}';

/** A whole text without a steering character. */
export const PLAIN_TEXT = new RegExp(`^[^${STEERING}]*$`, 'u');

const STEERING_CHARACTER = new RegExp(`[${STEERING}]`, 'gu');

export function isPlainText(text: string): boolean {
  return PLAIN_TEXT.test(text);
}

const SHOWN_CHARACTERS = 60;

/** What came, for a message: short, on one line, and in ASCII, so that a look-alike letter shows what it is. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value !== null && typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `"${printable(value)}"`;
  return String(value);
}

/** A foreign text, escaped and cut so that it can stand inside a message. */
export function printable(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS;
  const escaped = text.slice(0, SHOWN_CHARACTERS).replace(/[^\x20-\x7e]|["\\`]/g, escapeCharacter);
  return cut ? `${escaped}... (${text.length} characters)` : escaped;
}

/** A foreign text in any language, whole, but unable to steer a terminal. */
export function harmless(text: string): string {
  return text.replace(STEERING_CHARACTER, escapeCharacter);
}

/** A path for a message. */
export function showPath(path: string): string {
  return `"${harmless(path)}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  // In UTF-16 units, as JSON escapes: inside a JSON string the meaning stays what it was.
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
