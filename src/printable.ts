/**
 * Text that strangers wrote ends up in terminals, logs and prompts. Characters that steer those instead of being read
 * are refused where text comes in and escaped where it is quoted: controls, lone surrogates, line separators,
 * bidirectional overrides, tags, everything that is invisible (`Default_Ignorable_Code_Point`, other format characters,
 * fillers) and blanks that do not count as white space. Words and emoji need the joiners U+200C and U+200D and the
 * selectors U+FE0E and U+FE0F: they stay where they join or select something, and nowhere else.
 */
const STEERING =
  '\\p{Cc}\\p{Cs}\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f' +
  '\\u2800\\u3164\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff0-\\ufffc\\u{13430}-\\u{13442}\\u{16fe4}\\u{1bca0}-\\u{1bca3}\\u{1d159}' +
  '\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}';

/** A whole text without a steering character, joiners and selectors left aside. */
export const PLAIN_TEXT = new RegExp(`^[^${STEERING}]*$`, 'u');

// Beside a letter or picture that is not of ASCII; a run of them carries what nobody sees.
const BEFORE_JOINER = '(?<=(?![\\0-\\x7f])[\\p{L}\\p{M}\\p{Extended_Pictographic}\\p{Emoji_Modifier}])';
const AFTER_JOINER = '(?=(?![\\0-\\x7f])[\\p{L}\\p{M}\\p{Extended_Pictographic}])';
const ALONE = '(?<![\\u200c\\u200d\\ufe0e])[\\u200c\\u200d](?![\\u200c\\u200d\\ufe0e\\ufe0f])';
const JOINER = `(?:${BEFORE_JOINER}${ALONE}|${ALONE}${AFTER_JOINER})`;
const SELECTOR = '(?<=[0-9#*\\p{Extended_Pictographic}\\p{Emoji_Modifier}])[\\ufe0e\\ufe0f]';

const STEERING_CHARACTER = new RegExp(
  `[${STEERING}]|(?!${JOINER}|${SELECTOR})[\\u200c\\u200d\\ufe0e\\ufe0f]`,
  'gu',
);

const PLAIN_ASCII = /^[\x20-\x7e]*$/;

export function isPlainText(text: string): boolean {
  return escapeControls(text) === text;
}

const SHOWN_CHARACTERS = 60;

/** What came, for a message: short, on one line, and in ASCII, so that a look-alike letter shows what it is. */
export function quoteValue(value: unknown): string {
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
export function escapeControls(text: string): string {
  return PLAIN_ASCII.test(text) ? text : text.replace(STEERING_CHARACTER, escapeCharacter);
}

/** The same for a text that may have lines. */
export function escapeControlsInLines(text: string): string {
  return PLAIN_ASCII.test(text) ? text : text.split('\n').map(escapeControls).join('\n');
}

/** A foreign text on one line, escaped and cut to `maxChars` characters, with a note of how much is left out. */
export function escapeAndCut(text: string, maxChars: number): string {
  const escaped = escapeControls(cutWhole(text, maxChars));
  if (escaped.length <= maxChars && text.length <= maxChars) return escaped;
  return `${cutWhole(escaped, maxChars)}… (${text.length} characters)`;
}

/** The beginning of a text; no half of a character is left at the end. */
export function cutWhole(text: string, maxChars: number): string {
  const cut = text.slice(0, maxChars);
  return text.length > maxChars ? cut.replace(/[\ud800-\udbff]$/, '') : cut;
}

/** A path for a message. */
export function quotePath(path: string): string {
  return `"${escapeControls(path)}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  // In UTF-16 units, as JSON escapes: inside a JSON string the meaning stays what it was.
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
