import type { Conversion, Slot } from './conversion.ts';
import { convertByItself, hasMethod, includes } from './objects.ts';
import { below, type Place } from './place.ts';
import { create, isInstanceOfError, isNativeError } from './primordials.ts';

export function isError(value: unknown): value is Error {
  return isNativeError(value) || isInstanceOfError(value);
}

/** Whether it is part of an error, however far inside. */
export function isInError(place: Place): boolean {
  try {
    for (let at = place.parent; at !== null; at = at.parent)
      if (at.holder !== null && isError(at.holder)) return true;
  } catch {
    // A proxy that throws now.
  }
  return false;
}

/** `error` and `suppressed` are those of a `SuppressedError`, which `using` throws. */
const ERROR_FIELDS = ['name', 'message', 'code', 'cause', 'errors', 'error', 'suppressed'] as const;
/** What else is passed over: the stack stays where it is. */
const PASSED_OVER = ['stack'];
/** Of an HTTP client: large, and they hold what the plugin signed in with. Nobody meant them to be in a description. */
const PRIVATE_FIELDS = ['request', 'response', 'config', 'headers'];

export function convertAnyError(border: Conversion, value: Error, place: Place, slot: Slot): unknown {
  // Whoever gave it one knows what of it is for others.
  const answersItself = !border.describes && hasMethod(value, 'toJSON');
  return answersItself
    ? convertByItself(border, value as never, place, slot)
    : convertError(border, value, place);
}

/** Its name and message first, which are no enumerable fields, then what else it has. */
export function convertError(border: Conversion, value: Error, place: Place): Record<string, unknown> {
  const entered = border.enter(place, value);
  const fields: Record<string, unknown> = create(null);
  for (let index = 0; index < ERROR_FIELDS.length; index++) {
    const key = ERROR_FIELDS[index] as string;
    const at = below(entered, key);
    border.field(fields, key, border.read(value, key, at), at);
  }
  const passesOver = (key: string): boolean =>
    includes(ERROR_FIELDS, key) ||
    includes(PASSED_OVER, key) ||
    (border.describes && includes(PRIVATE_FIELDS, key));
  return border.fields(value, place, { fields, passesOver });
}
