import { describe, expect, test } from 'vitest';
import { escapeAndCut, escapeControls, escapeControlsInLines, isPlainText } from '../src/printable.ts';

/** Words and emoji need these, where they join or select something. */
const JOINING = new Set([0x200c, 0x200d, 0xfe0e, 0xfe0f]);
/** Format characters that are seen: they stand before a number or a name in Arabic, Syriac and Kaithi. */
const VISIBLE = /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;

test('no control or invisible character counts as plain', () => {
  const passed: string[] = [];
  for (let code = 0; code < 0x110000; code++) {
    const character = String.fromCodePoint(code);
    if (!/[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(character)) continue;
    if (JOINING.has(code) || VISIBLE.test(character)) continue;
    if (isPlainText(`a${character}b`)) passed.push(code.toString(16));
  }
  expect(passed).toEqual([]);
});

describe('a text is plain:', () => {
  test.each<[string, string]>([
    ['ASCII', 'a b ~'],
    ['any language', 'grüß 数える שלום'],
    ['a family', '👩‍❤️‍👨 👨‍👩‍👧‍👦'],
    ['a colour of skin', '👩🏽‍💻 🧑🏻‍❤️‍💋‍🧑🏼'],
    ['a flag', '🏳️‍🌈'],
    ['a keycap', '1️⃣'],
    ['a word with a joiner', 'می‌خواهم'],
    ['a letter with a joiner', 'क्‍ष'],
  ])('%s', (_what, text) => {
    expect(isPlainText(text)).toBe(true);
    expect(escapeControls(text)).toBe(text);
  });
});

describe('a text is escaped:', () => {
  test.each<[string, string, string]>([
    ['a line feed', 'a\nb', 'a\\u000ab'],
    ['a carriage return', 'a\rb', 'a\\u000db'],
    ['an escape of C1', '\u009b31m', '\\u009b31m'],
    ['a blank of Braille', '\u2800', '\\u2800'],
    ['fillers of Hangul', '\u115f\u1160\u3164\uffa0', '\\u115f\\u1160\\u3164\\uffa0'],
    ['a joiner between letters of ASCII', 'pay\u200dpal', 'pay\\u200dpal'],
    ['a joiner at the end', 'x\u200c', 'x\\u200c'],
    ['a run of joiners', '👩\u200d\u200d👩', '👩\\u200d\\u200d👩'],
    ['a selector of nothing', 'a\ufe0f', 'a\\ufe0f'],
    ['a run of selectors', '❤\ufe0f\ufe0f', '❤\ufe0f\\ufe0f'],
    ['half a character', '\ud83d', '\\ud83d'],
    ['a tag', '🏴\u{e0067}', '🏴\\udb40\\udc67'],
  ])('%s', (_what, text, escaped) => {
    expect(escapeControls(text)).toBe(escaped);
    expect(escapeControls(escaped)).toBe(escaped);
  });
});

test('line ends are left unescaped on request', () => {
  expect(escapeControlsInLines('a\n\u001bb\nc')).toBe('a\n\\u001bb\nc');
});

test('a cut text says how long it was, and does not grow when it is escaped', () => {
  expect(escapeAndCut('abc', 3)).toBe('abc');
  expect(escapeAndCut('abcd', 3)).toBe('abc… (4 characters)');
  expect(escapeAndCut('\u0001'.repeat(10), 10)).toBe('\\u0001\\u00… (10 characters)');
  expect(escapeAndCut('ab👩', 3)).toBe('ab… (4 characters)');
});
