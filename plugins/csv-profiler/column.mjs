import { createDateRange } from './dates.mjs';
import { describeNumbers } from './statistics.mjs';
import { readValue } from './values.mjs';

/** Different values counted per column; a column of identifiers cannot make the table grow further. */
const MAX_DISTINCT = 1000;
const MOST_COMMON = 5;
const MAX_SHOWN_LENGTH = 60;

/** A column has a type when this share of its values has it; the others are told as problems. */
const TYPE_SHARE = 0.9;

/** Collects one column, cell by cell. `decimalComma` says how the file writes fractions. */
export function createColumn(name, decimalComma) {
  const counts = new Map();
  const numbers = [];
  const range = createDateRange();
  const byType = { boolean: 0, integer: 0, number: 0, date: 0, text: 0 };
  const firstRow = {};
  let [present, missing, isFull] = [0, 0, false];

  function addDistinct(text) {
    const seen = counts.get(text);
    if (seen !== undefined) counts.set(text, seen + 1);
    else if (counts.size < MAX_DISTINCT) counts.set(text, 1);
    else isFull = true;
  }

  return {
    add(cell, row) {
      const { type, number, days } = readValue(cell, decimalComma);
      if (type === 'missing') {
        missing++;
        return;
      }
      present++;
      byType[type]++;
      firstRow[type] ??= row;
      if (number !== undefined) numbers.push(number);
      if (days !== undefined) range.add(days);
      addDistinct(cell.trim());
    },
    describe() {
      const type = inferType(byType, present);
      const { problems = [], ...figures } = describeValues(type, numbers, range);
      return {
        name,
        type,
        count: present,
        missing,
        distinct: counts.size,
        distinct_capped: isFull,
        most_common: mostCommon(counts),
        ...figures,
        problems: [...strangers(type, byType, firstRow, present), ...problems],
      };
    },
  };
}

function inferType({ boolean, integer, number, date }, present) {
  if (present === 0) return 'empty';
  const least = present * TYPE_SHARE;
  if (boolean >= least) return 'boolean';
  if (integer + number >= least) return number === 0 ? 'integer' : 'number';
  return date >= least ? 'date' : 'text';
}

function describeValues(type, numbers, range) {
  if (type === 'integer' || type === 'number') return describeNumbers(numbers);
  return type === 'date' ? range.describe() : {};
}

/** Values of another type than their column. */
function strangers(type, byType, firstRow, present) {
  if (type === 'text' || type === 'empty') return [];
  const isStranger = (other) => other !== type && !(type === 'number' && other === 'integer');
  return Object.entries(byType)
    .filter(([other, count]) => count > 0 && isStranger(other))
    .map(([other, count]) => `${count} of ${present} values are ${other}, first in row ${firstRow[other]}`);
}

const mostCommon = (counts) =>
  [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MOST_COMMON)
    .map(([value, count]) => ({ value: shorten(value), count }));

export const shorten = (text) =>
  text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH - 1)}…`;
