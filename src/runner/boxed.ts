import type { Conversion, Slot } from './conversion.ts';
import type { Place } from './place.ts';
import {
  bigintValueOf,
  booleanValueOf,
  isBigIntObject,
  isFiniteNumber,
  isNumberObject,
  isSafeInteger,
  isStringObject,
  isSymbolObject,
  numberValueOf,
  parse,
  stringify,
  stringValueOf,
} from './primordials.ts';

/** What `new String('a')` and its like hold. */
export function convertBoxed(border: Conversion, value: object, place: Place, slot: Slot): unknown {
  if (isSymbolObject(value)) return border.lose(place, 'a symbol: null stands in its place');
  border.convert(unboxed(value), place, slot);
  return (slot.target as Record<string | number, unknown>)[slot.key];
}

/** Of `valueOf` of its own a plugin may make anything. */
function unboxed(value: object): unknown {
  if (isStringObject(value)) return stringValueOf(value as string);
  if (isNumberObject(value)) return numberValueOf(value as never);
  return isBigIntObject(value) ? bigintValueOf(value as never) : booleanValueOf(value as never);
}

const WHOLE_NUMBER = /^-?\d+$/;
const isWholeNumber = RegExp.prototype.test.bind(WHOLE_NUMBER);

/** What `JSON.rawJSON` made: the text of a number may hold more digits than the number that a caller reads. */
export function convertRaw(border: Conversion, value: object, place: Place, slot: Slot): unknown {
  const text = stringify(value);
  const read: unknown = parse(text);
  // Of a fraction the last digits are rounded, as everywhere.
  const isRounded = !isSafeInteger(read) && isWholeNumber(text) && stringify(read) !== text;
  const isAnother = typeof read === 'number' && (isRounded || !isFiniteNumber(read));
  if (isAnother) border.warn(place, 'a number beyond those of JavaScript: its digits cross as text');
  border.convert(isAnother ? text : read, place, slot);
  return (slot.target as Record<string | number, unknown>)[slot.key];
}
