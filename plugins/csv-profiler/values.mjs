/** What one cell says, told from its text alone. */

const MISSING = new Set(['', 'na', 'n/a', '#n/a', 'nan', 'null']);
const TRUE_OR_FALSE = new Set(['true', 'false', 'yes', 'no']);

// A leading zero or more digits than a double holds make an identifier: `007`, `20240000000000000001`.
const POINT_NUMBER = /^-?(?:0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i;
const COMMA_NUMBER = /^-?(?:0|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d*)(?:,\d+)?$/;
const MAX_NUMBER_LENGTH = 40;

const ISO_DATE =
  /^(\d{4})[-/](\d{2})[-/](\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const WRITTEN_DATE = /^(\d{1,2})([./])(\d{1,2})\2(\d{4})$/;

/**
 * @returns {{
 *   type: 'missing' | 'boolean' | 'integer' | 'number' | 'date' | 'text',
 *   number?: number,
 *   days?: { dayFirst: string | null, monthFirst: string | null },
 * }}
 */
export function readValue(cell, decimalComma) {
  const text = cell.trim();
  const lower = text.length <= 5 ? text.toLowerCase() : text;
  if (MISSING.has(lower)) return { type: 'missing' };
  if (TRUE_OR_FALSE.has(lower)) return { type: 'boolean' };
  return readNumber(text, decimalComma) ?? readDate(text) ?? { type: 'text' };
}

function readNumber(text, decimalComma) {
  if (text.length > MAX_NUMBER_LENGTH) return null;
  const plain = toPlainNumber(text, decimalComma);
  if (plain === null) return null;
  const number = Number(plain);
  if (Number.isInteger(number)) return Number.isSafeInteger(number) ? { type: 'integer', number } : null;
  return Number.isFinite(number) ? { type: 'number', number } : null;
}

function toPlainNumber(text, decimalComma) {
  if (decimalComma && COMMA_NUMBER.test(text)) return text.replaceAll('.', '').replace(',', '.');
  // `1.234` in a file with decimal commas was taken above.
  return POINT_NUMBER.test(text) ? text.replaceAll(',', '') : null;
}

/** The day in both readings, day first and month first; a reading that is no date is `null`. */
function readDate(text) {
  const days = readIsoDate(text) ?? readWrittenDate(text);
  return days !== null && (days.dayFirst ?? days.monthFirst) !== null ? { type: 'date', days } : null;
}

function readIsoDate(text) {
  const match = ISO_DATE.exec(text);
  if (match === null) return null;
  const day = toIsoDay(match[1], match[2], match[3]);
  return { dayFirst: day, monthFirst: day };
}

function readWrittenDate(text) {
  const match = WRITTEN_DATE.exec(text);
  if (match === null) return null;
  const [, first, sign, second, year] = match;
  return {
    dayFirst: toIsoDay(year, second, first),
    monthFirst: sign === '/' ? toIsoDay(year, first, second) : null,
  };
}

function toIsoDay(year, month, day) {
  const iso = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const time = Date.parse(`${iso}T00:00:00Z`);
  // 30 February would silently become 2 March.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(iso) ? iso : null;
}
