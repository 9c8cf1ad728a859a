import { Border, type Later } from './border.ts';
import { reasonOf } from './conversion.ts';
import { isInError } from './errors.ts';
import { BorderError, type BorderLimits, type BorderWarning } from './limits.ts';
import { pathTo, placeOf } from './place.ts';
import { isPlain } from './plain.ts';
import { byteLength, deleteProperty, isArray, keys, slice, stringify } from './primordials.ts';

/** Called for each value that did not cross unchanged, also where another value fails the call. */
export type Tell = (warnings: readonly BorderWarning[]) => void;

const NAME = 'result';

/** What was thrown while a part of the result was waited for. */
export class ThrownInside {
  readonly path: string;
  readonly thrown: unknown;
  /** No proxy can be asked for it. */
  readonly #isOurs = true;

  static is(value: unknown): value is ThrownInside {
    return typeof value === 'object' && value !== null && #isOurs in value;
  }

  constructor(path: string, thrown: unknown) {
    this.path = path;
    this.thrown = thrown;
  }
}

/**
 * What `execute` returned, as JSON. docs/reference/values.md says how each value crosses.
 * @throws BorderError when it cannot, or is too much
 * @throws ThrownInside when a promise in it was rejected, or an iterator threw
 */
export async function toResultText(value: unknown, limits: BorderLimits, tell: Tell): Promise<string> {
  // A plugin that returns nothing answers null.
  if (value === undefined) return 'null';
  if (isPlain(value, limits)) return within(stringify(value), value, limits);
  const place = placeOf(NAME);
  const border = new Border(limits);
  if (typeof value === 'function' || typeof value === 'symbol')
    border.refuse(place, `is a ${typeof value}; return data`);
  try {
    const box: { value: unknown } = { value: null };
    border.convert(value, place, { target: box, key: 'value' });
    for (let index = 0; index < border.later.length; index++)
      await settle(border, border.later[index] as Later);
    return within(stringify(box.value) ?? 'null', box.value, limits);
  } finally {
    tell(border.warnings);
  }
}

async function settle(border: Border, { place, slot, value: wait }: Later): Promise<void> {
  let value: unknown;
  try {
    value = await wait();
  } catch (error) {
    if (BorderError.is(error)) border.leaveOut(place, error);
    else if (!isInError(place)) throw new ThrownInside(pathTo(place), error);
    else border.lose(place, `waited for in vain (${reasonOf(error)}): null stands in its place`);
    return;
  }
  // A field whose promise came to nothing is left out, like a field that held nothing from the start.
  if (typeof slot.key === 'string' && !border.hasField(value, place)) deleteProperty(slot.target, slot.key);
  else border.convert(value, place, slot);
}

function within(json: string, value: unknown, { bytes: most }: BorderLimits): string {
  const bytes = byteLength(json);
  if (bytes <= most) return json;
  const place = largestPlace(value);
  throw new BorderError(
    'limit',
    place.path,
    `${shareOf(place.bytes, bytes)} as JSON, and the result may have ${most}: return less, or raise \`output_kb\``,
  );
}

function shareOf(bytes: number, all: number): string {
  return bytes === all ? `has ${bytes} bytes` : `has ${bytes} bytes of the ${all} that the result has`;
}

/** Descends as long as one part is more than half of the whole. */
function largestPlace(value: unknown): { path: string; bytes: number } {
  let at = { path: pathTo(placeOf(NAME)), value, bytes: byteLength(stringify(value) ?? '') };
  for (let level = 0; level < 4; level++) {
    if (typeof at.value !== 'object' || at.value === null) break;
    let largest = { path: at.path, value: null as unknown, bytes: 0 };
    const names = keys(at.value);
    for (let index = 0; index < names.length; index++) {
      const key = names[index] as string;
      const inner = (at.value as Record<string, unknown>)[key];
      const bytes = byteLength(stringify(inner) ?? '');
      if (bytes > largest.bytes)
        largest = {
          path: `${at.path}${isArray(at.value) ? `[${key}]` : `.${slice(key, 0, 80)}`}`,
          value: inner,
          bytes,
        };
    }
    if (largest.bytes * 2 < at.bytes) break;
    at = largest;
  }
  return at;
}
