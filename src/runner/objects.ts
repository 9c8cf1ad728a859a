import type { Conversion, Slot } from './conversion.ts';
import { below, type Place } from './place.ts';
import { reflectGet } from './primordials.ts';

export function hasMethod(value: object, name: string): boolean {
  return typeof reflectGet(value, name) === 'function';
}

export function includes(names: readonly string[], name: string): boolean {
  for (let index = 0; index < names.length; index++) if (names[index] === name) return true;
  return false;
}

/** What its `toJSON` gives. */
export function convertByItself(
  border: Conversion,
  value: { toJSON(key: string): unknown },
  place: Place,
  slot: Slot,
): unknown {
  const entered = border.enter(place, value);
  const inner = value.toJSON(`${place.segment ?? ''}`);
  // What answers itself would be asked for ever.
  if (inner === value) return border.fields(value, place);
  if (inner === undefined || typeof inner === 'function' || typeof inner === 'symbol')
    return border.lose(place, 'an object whose `toJSON` gave nothing: null stands in its place');
  border.convert(inner, below(entered, null), slot);
  return (slot.target as Record<string | number, unknown>)[slot.key];
}
