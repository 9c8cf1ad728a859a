import type { Conversion, Slot } from './conversion.ts';
import { hasMethod } from './objects.ts';
import type { Place } from './place.ts';
import { asyncIterator, iterator, reflectGet } from './primordials.ts';

/** What a generator function gives, and what iterators of lists, maps and sets are. */
export function isIterator(value: object): boolean {
  return (
    hasMethod(value, 'next') &&
    (isFunction(reflectGet(value, iterator)) || isFunction(reflectGet(value, asyncIterator)))
  );
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

export function convertIterator(
  border: Conversion,
  value: AsyncIterator<unknown>,
  place: Place,
  slot: Slot,
): unknown {
  return border.wait(place, slot, () => drain(border, value, place));
}

/** Runs it to its end, as far as its elements may cross. */
async function drain(border: Conversion, steps: AsyncIterator<unknown>, place: Place): Promise<unknown[]> {
  const elements: unknown[] = [];
  try {
    let chars = 0;
    for (;;) {
      const step: unknown = await steps.next();
      if (typeof step !== 'object' || step === null)
        border.refuse(place, `is an iterator whose \`next\` gave ${typeof step}, which is no step`);
      const { done, value } = step as IteratorResult<unknown>;
      if (done) {
        // Of a query of `node:sqlite` it is null.
        if (value !== undefined && value !== null)
          border.warn(place, 'an iterator that returned a value beside what it yielded, which is left out');
        return elements;
      }
      border.assertRoom(elements.length + 1, place);
      const element = await value;
      elements[elements.length] = element;
      if (typeof element === 'string') chars += element.length;
      border.assertChars(chars, place);
    }
  } catch (error) {
    await steps.return?.();
    throw error;
  }
}
