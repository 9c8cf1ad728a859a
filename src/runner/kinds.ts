import { convertBoxed, convertRaw } from './boxed.ts';
import { type Conversion, reasonOf, type Slot } from './conversion.ts';
import { convertAnyError, isError } from './errors.ts';
import { convertIterator, isIterator } from './iterators.ts';
import { convertByItself, hasMethod, includes } from './objects.ts';
import { below, type Place } from './place.ts';
import {
  bufferFrom,
  create,
  getPrototypeOf,
  isAnyArrayBuffer,
  isArray,
  isBoxedPrimitive,
  isDate,
  isFiniteNumber,
  isMap,
  isPromise,
  isRawJSON,
  isRegExp,
  isSet,
  isView,
  isWeakMap,
  isWeakSet,
  keys,
  mapForEach,
  objectPrototype,
  ownKeys,
  reflectGet,
  setForEach,
  sizeOfMap,
  sizeOfSet,
  slice,
  toIsoString,
  toStringOf,
  toStringTag,
  toTime,
} from './primordials.ts';

/** The form of one kind of object on the other side. */
interface Kind<Value extends object = object> {
  readonly is: (value: object) => boolean;
  readonly convert: (border: Conversion, value: Value, place: Place, slot: Slot) => unknown;
}

const MAX_NAME_CHARS = 40;

const IS_A_STREAM =
  'is a stream; read it first, such as by `await Array.fromAsync(stream)`, and return what was in it';

/** What has no form that would be true; what an author does instead. */
const REFUSED: Readonly<Record<string, string>> = {
  __proto__: null as never,
  Response: 'is a Response; return what is in it, such as `await response.json()` or `await response.text()`',
  Request: 'is a Request; return its fields that are needed',
  ReadableStream: IS_A_STREAM,
  WritableStream: 'is a stream; return what was written to it',
  TransformStream: 'is a stream; read it first, and return what came out of it',
};

/** In this order: the first that fits. docs/reference/values.md has the table for authors. */
const KINDS: readonly Kind<never>[] = [
  { is: isArray, convert: convertList },
  { is: isRawJSON, convert: convertRaw },
  { is: isPlainObject, convert: convertFields },
  { is: isDate, convert: convertDate },
  { is: isMap, convert: convertMap },
  {
    is: isSet,
    convert: (border: Conversion, value: Set<unknown>, place: Place) =>
      border.list(elementsOf(border, value, place), place, value),
  },
  { is: isError, convert: convertAnyError },
  { is: isPromise, convert: convertPromise },
  { is: isView, convert: convertView },
  {
    is: isAnyArrayBuffer,
    convert: (border: Conversion, value: ArrayBuffer, place: Place) => border.bytes(bufferFrom(value), place),
  },
  { is: isRegExp, convert: (_: Conversion, value: RegExp) => toStringOf(value) },
  { is: isBoxedPrimitive, convert: convertBoxed },
  { is: (value) => isWeakMap(value) || isWeakSet(value), convert: refuseWeak },
  { is: isRefused, convert: refuseTagged },
  { is: isNodeStream, convert: refuseStream },
  { is: isBlob, convert: convertBlob },
  {
    is: (value) => hasTag(value, ['URL', 'URLSearchParams']),
    convert: (_: Conversion, value: object) => toStringOf(value),
  },
  { is: (value) => hasTag(value, ['Headers', 'FormData']), convert: convertPairs },
  { is: (value) => hasMethod(value, 'toJSON'), convert: convertByItself },
  { is: isIterator, convert: convertIterator },
  { is: isThenable, convert: convertPromise },
  { is: () => true, convert: convertInstance },
];

export function convertKind(border: Conversion, value: object, place: Place, slot: Slot): unknown {
  for (let index = 0; ; index++) {
    const kind = KINDS[index] as Kind;
    if (kind.is(value)) return kind.convert(border, value, place, slot);
  }
}

function isPlainObject(value: object): boolean {
  const prototype = getPrototypeOf(value);
  if (prototype !== null && prototype !== objectPrototype) return false;
  return !hasMethod(value, 'toJSON') && !hasMethod(value, 'then') && !isIterator(value);
}

function convertFields(border: Conversion, value: object, place: Place): unknown {
  return border.fields(value, place);
}

function convertList(border: Conversion, value: unknown[], place: Place): unknown {
  const own = ownKeys(value).length;
  const list = border.list(value, place);
  let named = 0;
  // A list has as many keys as elements and `length`: only one that has not is looked at key by key.
  if (own !== value.length + 1) {
    const names = keys(value);
    for (let index = 0; index < names.length; index++)
      if (toStringOf(+(names[index] as string) >>> 0) !== names[index]) named++;
  }
  if (named > 0) border.warn(place, `a list with named fields (${named}), which are left out`);
  return list;
}

function convertDate(border: Conversion, value: Date, place: Place): unknown {
  return isFiniteNumber(toTime(value))
    ? toIsoString(value)
    : border.lose(place, 'an invalid Date: null stands in its place');
}

/** An object where all keys are texts, else a list of pairs. */
function convertMap(border: Conversion, value: Map<unknown, unknown>, place: Place): unknown {
  border.assertRoom(sizeOfMap(value), place);
  const pairs: [unknown, unknown][] = [];
  let hasOnlyTexts = true;
  mapForEach(value, (member: unknown, key: unknown) => {
    pairs[pairs.length] = [key, member];
    if (typeof key !== 'string') hasOnlyTexts = false;
  });
  if (hasOnlyTexts) return toObject(border, value, pairs as [string, unknown][], place);
  border.warn(place, 'a Map with keys that are no text: it crosses as a list of pairs');
  return border.list(pairs, place, value);
}

function toObject(
  border: Conversion,
  value: object,
  pairs: readonly [string, unknown][],
  place: Place,
): unknown {
  const entered = border.enter(place, value);
  const fields: Record<string, unknown> = create(null);
  for (let index = 0; index < pairs.length; index++) {
    const [key, member] = pairs[index] as [string, unknown];
    border.field(fields, key, member, below(entered, key));
  }
  return fields;
}

function elementsOf(border: Conversion, set: Set<unknown>, place: Place): unknown[] {
  border.assertRoom(sizeOfSet(set), place);
  const elements: unknown[] = [];
  setForEach(set, (element: unknown) => {
    elements[elements.length] = element;
  });
  return elements;
}

function convertPromise(border: Conversion, value: PromiseLike<unknown>, place: Place, slot: Slot): unknown {
  if (border.describes) return border.lose(place, 'a promise');
  const coming = outcomeOf(value);
  return border.wait(place, slot, async () => {
    const outcome = await coming;
    if (outcome.isRejected) throw outcome.value;
    return outcome.value;
  });
}

/** Waited for from the start: others may be waited for first, and Node ends a process where nobody waits for a rejected one. */
async function outcomeOf(promise: PromiseLike<unknown>): Promise<{ isRejected: boolean; value: unknown }> {
  // Without a prototype: whoever waits for an object asks it for `then`, which a plugin can give to all that have one.
  try {
    const outcome = { __proto__: null, isRejected: false, value: await promise };
    return outcome;
  } catch (error) {
    const outcome = { __proto__: null, isRejected: true, value: error };
    return outcome;
  }
}

function convertView(
  border: Conversion,
  { buffer, byteOffset, byteLength }: ArrayBufferView,
  place: Place,
): unknown {
  return border.bytes(bufferFrom(buffer as ArrayBuffer, byteOffset, byteLength), place);
}

function refuseWeak(border: Conversion, _: object, place: Place): never {
  return border.refuse(
    place,
    'is a WeakMap or WeakSet, whose content nobody can list; return a Map or a Set',
  );
}

function tagOf(value: object): string {
  try {
    const tag = reflectGet(value, toStringTag);
    return typeof tag === 'string' ? tag : '';
  } catch {
    return '';
  }
}

function hasTag(value: object, tags: readonly string[]): boolean {
  return includes(tags, tagOf(value));
}

function isRefused(value: object): boolean {
  return typeof REFUSED[tagOf(value)] === 'string' && !hasMethod(value, 'toJSON');
}

function refuseTagged(border: Conversion, value: object, place: Place): never {
  return border.refuse(place, REFUSED[tagOf(value)] as string);
}

function isNodeStream(value: object): boolean {
  return hasMethod(value, 'pipe') && hasMethod(value, 'on');
}

function refuseStream(border: Conversion, _: object, place: Place): never {
  return border.refuse(place, IS_A_STREAM);
}

function isBlob(value: object): boolean {
  return hasTag(value, ['Blob', 'File']) && hasMethod(value, 'arrayBuffer');
}

function convertBlob(border: Conversion, value: Blob, place: Place, slot: Slot): unknown {
  border.assertChars(value.size, place);
  return border.wait(place, slot, () => value.arrayBuffer());
}

/** By name; several of one name as a list. */
function convertPairs(border: Conversion, value: Iterable<[string, unknown]>, place: Place): unknown {
  const byName = new Map<string, unknown[]>();
  let count = 0;
  for (const [name, member] of value) {
    border.assertRoom(++count, place);
    const before = byName.get(name);
    if (before === undefined) byName.set(name, [member]);
    else before[before.length] = member;
  }
  const pairs = [...byName].map(([name, members]): [string, unknown] => [
    name,
    members.length === 1 ? members[0] : members,
  ]);
  return toObject(border, value, pairs, place);
}

function isThenable(value: object): boolean {
  return hasMethod(value, 'then');
}

function convertInstance(border: Conversion, value: object, place: Place): unknown {
  const fields = border.fields(value, place);
  const name = classOf(value);
  if (keys(fields).length === 0 && name !== null)
    border.warn(
      place,
      `an instance of \`${name}\` without fields of its own: \`{}\` stands in its place; give the class a \`toJSON\``,
    );
  return fields;
}

function classOf(value: object): string | null {
  try {
    const maker = reflectGet(value, 'constructor') as { name?: unknown } | undefined;
    return typeof maker?.name === 'string' && maker.name !== 'Object'
      ? slice(maker.name, 0, MAX_NAME_CHARS)
      : null;
  } catch (error) {
    return reasonOf(error);
  }
}
