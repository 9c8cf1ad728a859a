import { Border, type Later } from './border.ts';
import { BorderError, type BorderLimits, type BorderWarning } from './limits.ts';
import { pathTo, placeOf } from './place.ts';
import { isPlain } from './plain.ts';
import { byteLength, deleteProperty, isArray, keys, slice, stringify } from './primordials.ts';

export interface ResultText {
  readonly json: string;
  readonly warnings: readonly BorderWarning[];
}

const NAME = 'result';

/**
 * What `execute` returned, as JSON. docs/values.md says how each value crosses.
 * @throws BorderError when it cannot, or is too much; whatever a promise in it was rejected with
 */
export async function toResultText(value: unknown, limits: BorderLimits): Promise<ResultText> {
  // Who returns nothing answers null.
  if (value === undefined) return textOf('null');
  if (isPlain(value, limits)) return textOf(within(stringify(value), value, limits));
  const place = placeOf(NAME);
  const border = new Border(limits);
  if (typeof value === 'function' || typeof value === 'symbol')
    border.refuse(place, `is a ${typeof value}; return data`);
  const box: { value: unknown } = { value: null };
  border.convert(value, place, { target: box, key: 'value' });
  for (let index = 0; index < border.later.length; index++) {
    const later = border.later[index] as (typeof border.later)[number];
    settle(border, later, await later.value());
  }
  return textOf(within(stringify(box.value) ?? 'null', box.value, limits), border.warnings);
}

/** Without a prototype: whoever waits for an object asks it for `then`, which a plugin can give to all that have one. */
export function textOf(json: string, warnings: readonly BorderWarning[] = []): ResultText {
  const text = { __proto__: null, json, warnings };
  return text;
}

function settle(border: Border, { place, slot }: Later, value: unknown): void {
  // A field that holds nothing is left out, as it is where it held nothing from the start.
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

/** Down to what is more than half of the whole. */
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
