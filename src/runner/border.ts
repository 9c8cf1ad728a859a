import { type Conversion, reasonOf, type Slot } from './conversion.ts';
import { convertKind } from './kinds.ts';
import { below, type Place, pathTo, placeAround } from './place.ts';
import {
  create,
  getOwnPropertyDescriptor,
  isFiniteNumber,
  isSafeInteger,
  ownKeys,
  reflectGet,
  slice,
  toBigInt,
  toNumber,
  toStringOf,
} from './primordials.ts';

/** What is told of a value that did not cross as it was. */
export interface BorderWarning {
  readonly path: string;
  readonly message: string;
}

/** A value has no form on the other side, or has too much of one. */
export class BorderError extends Error {
  /** `limit`: of what there is too much, the rest could cross. */
  readonly kind: 'value' | 'limit';
  /** No proxy can be asked for it. */
  readonly #isOurs = true;

  static is(value: unknown): value is BorderError {
    return typeof value === 'object' && value !== null && #isOurs in value;
  }

  constructor(kind: BorderError['kind'], path: string, message: string) {
    super(`\`${path}\` ${message}`);
    // The words are the whole of it, and where it was thrown is nothing of the plugin's.
    this.name = '';
    this.stack = '';
    this.kind = kind;
  }
}

export interface BorderLimits {
  /** Lists and objects in each other. */
  readonly depth: number;
  /** Of every kind, lists and objects too. */
  readonly values: number;
}

export interface BorderOptions extends BorderLimits {
  /** What cannot cross is described where it stands, and what is too much is left out. @default false: both are errors */
  readonly describes?: boolean;
}

/** A value that is not there yet. */
export interface Later {
  readonly place: Place;
  readonly slot: Slot;
  readonly value: () => Promise<unknown>;
}

const MAX_WARNINGS = 20;
const LEFT_OUT = '…';
/** Of a text in the description of an error. */
const MAX_TEXT_CHARS = 900;
const MAX_READ_CHARS = 100_000;

function cutText(text: string): string {
  // To take a part of a text that was put together makes all of it, for which there may be no memory.
  if (text.length > MAX_READ_CHARS) return `[a text of ${text.length} characters]`;
  return text.length <= MAX_TEXT_CHARS ? text : `${slice(text, 0, MAX_TEXT_CHARS)}…`;
}

/**
 * Makes plain data of whatever a plugin has: objects without a prototype, lists, texts, finite numbers, booleans and null.
 * What has another form crosses by a rule of `kinds.ts`; what is lost by one is told. Values that have to be waited for are
 * gathered in `later`.
 */
export class Border implements Conversion {
  readonly later: Later[] = [];
  readonly #limits: BorderOptions;
  readonly #warnings: BorderWarning[] = [];
  #more = 0;
  #values = 0;

  constructor(limits: BorderOptions) {
    this.#limits = limits;
  }

  get warnings(): readonly BorderWarning[] {
    const more = this.#more;
    if (more === 0) return this.#warnings;
    return [
      ...this.#warnings,
      { path: '', message: `and ${more} more values that did not cross as they were` },
    ];
  }

  /** Puts what becomes of a value into its slot. */
  convert(value: unknown, place: Place, slot: Slot): void {
    const converted = this.#convert(value, place, slot);
    // A slot is of our own making, and may be called `__proto__`: it has no prototype, or is a list.
    (slot.target as Record<string | number, unknown>)[slot.key] = converted;
  }

  #convert(value: unknown, place: Place, slot: Slot): unknown {
    if (++this.#values > this.#limits.values) {
      if (this.#limits.describes) return LEFT_OUT;
      this.#tooMany(place);
    }
    switch (typeof value) {
      case 'string':
        return this.#limits.describes ? cutText(value) : value;
      case 'boolean':
        return value;
      case 'number':
        return this.#number(value, place);
      case 'bigint':
        return this.#bigint(value, place);
      case 'object':
        return value === null ? null : this.#object(value, place, slot);
      default:
        return this.lose(
          place,
          `${typeof value === 'undefined' ? '`undefined`' : `a ${typeof value}`}: null stands in its place`,
        );
    }
  }

  /** Stands for a value that is lost, and tells so. */
  lose(place: Place, message: string): null {
    this.warn(place, message);
    return null;
  }

  warn(place: Place, message: string): void {
    if (this.#warnings.length < MAX_WARNINGS)
      this.#warnings[this.#warnings.length] = { path: pathTo(place), message: `is ${message}` };
    else this.#more++;
  }

  refuse(place: Place, message: string): never {
    throw new BorderError('value', pathTo(place), message);
  }

  /** @throws BorderError when so many elements are more than there may be values */
  assertRoom(elements: number, place: Place): void {
    if (elements > this.#limits.values) this.#tooMany(place);
  }

  #tooMany(place: Place): never {
    const { values } = this.#limits;
    throw new BorderError(
      'limit',
      pathTo(place),
      `is one value too many: a result has at most ${values}, lists and objects counted; return fewer, or one text that holds them (\`JSON.stringify\`)`,
    );
  }

  /** Goes into an object, unless it is too deep or is around itself. */
  enter(place: Place, object: object): void {
    const around = placeAround(place, object);
    if (around !== null)
      this.refuse(place, `is \`${pathTo(around)}\` again, so it would never end; return a copy without that`);
    const { depth } = this.#limits;
    if (place.depth < depth) return;
    throw new BorderError(
      'limit',
      pathTo(place),
      `is nested deeper than ${depth} levels; return it flatter, or as one text (\`JSON.stringify\`)`,
    );
  }

  /** Every element, those that are not there too. */
  list(elements: readonly unknown[], place: Place): unknown[] {
    this.enter(place, elements);
    const { length } = elements;
    this.assertRoom(length, place);
    const list: unknown[] = [];
    for (let index = 0; index < length; index++) {
      const at = below(place, elements, index);
      this.convert(this.read(elements, index, at), at, { target: list, key: index });
    }
    return list;
  }

  /** The enumerable fields of its own, without those that hold nothing. */
  fields(
    object: object,
    place: Place,
    fields: Record<string, unknown> = create(null),
  ): Record<string, unknown> {
    this.enter(place, object);
    const own = ownKeys(object);
    this.assertRoom(own.length, place);
    let symbols = 0;
    for (let index = 0; index < own.length; index++) {
      const key = own[index] as string | symbol;
      const at = below(place, object, typeof key === 'symbol' ? toStringOf(key) : key);
      if (!this.#isEnumerable(object, key, at)) continue;
      if (typeof key === 'symbol') symbols++;
      else this.field(fields, key, this.read(object, key, at), at);
    }
    if (symbols > 0) this.warn(place, `an object with fields under symbols (${symbols}), which are left out`);
    return fields;
  }

  field(fields: Record<string, unknown>, key: string, value: unknown, at: Place): void {
    if (value === undefined) return;
    if (typeof value === 'function' || typeof value === 'symbol')
      this.warn(at, `a ${typeof value}, and is left out`);
    else this.convert(value, at, { target: fields, key });
  }

  /** Whatever a getter or a proxy answers. */
  read(object: object, key: PropertyKey, place: Place): unknown {
    try {
      return reflectGet(object, key);
    } catch (error) {
      return this.refuse(place, `cannot be read: ${reasonOf(error)}`);
    }
  }

  /** Has what comes of the work take the place of a value, which null holds until then. */
  wait(place: Place, slot: Slot, value: () => Promise<unknown>): null {
    this.later[this.later.length] = { place, slot, value };
    return null;
  }

  #isEnumerable(object: object, key: PropertyKey, place: Place): boolean {
    try {
      return getOwnPropertyDescriptor(object, key)?.enumerable === true;
    } catch (error) {
      return this.refuse(place, `cannot be read: ${reasonOf(error)}`);
    }
  }

  #number(value: number, place: Place): number | null {
    if (isFiniteNumber(value)) return value;
    return this.lose(place, `${toStringOf(value)}, which JSON does not have: null stands in its place`);
  }

  #bigint(value: bigint, place: Place): number | string {
    const number = toNumber(value);
    if (toBigInt(number) === value && isSafeInteger(number)) return number;
    this.warn(place, 'a BigInt beyond 2^53: its digits cross as text');
    return toStringOf(value);
  }

  #object(value: object, place: Place, slot: Slot): unknown {
    try {
      return convertKind(this, value, place, slot);
    } catch (error) {
      const fault = BorderError.is(error)
        ? error
        : new BorderError('value', pathTo(place), `cannot be read: ${reasonOf(error)}`);
      if (!this.#limits.describes) throw fault;
      return fault.kind === 'limit' ? LEFT_OUT : `[${fault.message}]`;
    }
  }
}
