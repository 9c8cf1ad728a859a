import { MAX_RESULT_KEY_BYTES } from '../protocol/messages.ts';
import { type Conversion, type FieldsOptions, reasonOf, type Slot } from './conversion.ts';
import { isInError } from './errors.ts';
import { convertKind } from './kinds.ts';
import {
  BorderError,
  type BorderLimits,
  type BorderWarning,
  isKeyTooLong,
  ROOM_FOR_A_LOOK,
} from './limits.ts';
import { below, inside, type Place, pathTo, placeAround } from './place.ts';
import { hasPlainPrototypes } from './plain.ts';
import {
  create,
  getOwnPropertyDescriptor,
  isFiniteNumber,
  isSafeInteger,
  ownKeys,
  reflectGet,
  setPrototypeOf,
  slice,
  toBase64,
  toNumber,
  toStringOf,
} from './primordials.ts';

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
/** What stands for the rest in a description. */
export const LEFT_OUT = '…';
const NO_OPTIONS: FieldsOptions = {};
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
  readonly describes: boolean;
  readonly #limits: BorderOptions;
  readonly #warnings: BorderWarning[] = [];
  /** `JSON.stringify` asks lists for what a plugin gave to all of them. */
  readonly #hidesLists = !hasPlainPrototypes();
  #more = 0;
  #values = 0;
  #chars = 0;

  constructor(limits: BorderOptions) {
    this.#limits = limits;
    this.describes = limits.describes ?? false;
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
      if (this.describes) return LEFT_OUT;
      this.#tooMany(place);
    }
    switch (typeof value) {
      case 'string':
        return this.#text(value, place);
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
    this.#tell(place, `is ${message}`);
  }

  #tell(place: Place, message: string): void {
    if (this.#warnings.length < MAX_WARNINGS)
      this.#warnings[this.#warnings.length] = { path: pathTo(place), message };
    else this.#more++;
  }

  /**
   * What cannot cross fails the call, but not where it is part of an error: those of HTTP clients hold streams, sockets and each
   * other, and whoever returns one means what it says.
   * @throws BorderError otherwise
   */
  leaveOut(place: Place, fault: BorderError): null {
    if (this.describes || fault.kind === 'limit' || !isInError(place)) throw fault;
    this.#tell(place, `${fault.reason}; as it is part of an error, null stands in its place`);
    return null;
  }

  refuse(place: Place, message: string): never {
    throw new BorderError('value', pathTo(place), message);
  }

  /** @throws BorderError when that many elements are more than a result may have values */
  assertRoom(elements: number, place: Place): void {
    if (!this.describes && elements > this.#limits.values) this.#tooMany(place);
  }

  assertChars(chars: number, place: Place): void {
    const { bytes } = this.#limits;
    if (this.describes || chars <= bytes * ROOM_FOR_A_LOOK) return;
    throw new BorderError(
      'limit',
      pathTo(place),
      `brings the result to ${chars} characters of text, and as JSON it may have ${bytes} bytes: return less, or raise \`output_kb\``,
    );
  }

  bytes(bytes: Buffer, place: Place): string {
    if (this.describes) return `[${bytes.length} bytes]`;
    const chars = Math.ceil(bytes.length / 3) * 4;
    this.assertChars(this.#chars + chars, place);
    this.#chars += chars;
    return toBase64(bytes, 'base64') as string;
  }

  #text(text: string, place: Place): string {
    if (this.describes) return cutText(text);
    this.assertChars(this.#chars + text.length, place);
    this.#chars += text.length;
    return text;
  }

  #tooMany(place: Place): never {
    const { values } = this.#limits;
    throw new BorderError(
      'limit',
      pathTo(place),
      `is one value too many: a result has at most ${values}, lists and objects counted; return fewer, or one text that holds them (\`JSON.stringify\`)`,
    );
  }

  enter(place: Place, object: object): Place {
    const around = placeAround(place, object);
    if (around !== null)
      this.refuse(place, `is \`${pathTo(around)}\` again, so it would never end; return a copy without that`);
    const { depth } = this.#limits;
    if (place.depth < depth) return inside(place, object);
    throw new BorderError(
      'limit',
      pathTo(place),
      `is nested deeper than ${depth} levels; return it flatter, or as one text (\`JSON.stringify\`)`,
    );
  }

  list(elements: readonly unknown[], place: Place, holder: object = elements): unknown[] {
    const entered = this.enter(place, holder);
    const { length } = elements;
    this.assertRoom(length, place);
    const list: unknown[] = [];
    if (this.#hidesLists) setPrototypeOf(list, null);
    for (let index = 0; index < length; index++) {
      const at = below(entered, index);
      this.convert(this.read(elements, index, at), at, { target: list, key: index });
      if (this.#isFull()) break;
    }
    return list;
  }

  fields(
    object: object,
    place: Place,
    { fields = create(null), passesOver }: FieldsOptions = NO_OPTIONS,
  ): Record<string, unknown> {
    const entered = this.enter(place, object);
    const own = ownKeys(object);
    this.assertRoom(own.length, place);
    let symbols = 0;
    for (let index = 0; index < own.length && !this.#isFull(); index++) {
      const key = own[index] as string | symbol;
      const at = below(entered, typeof key === 'symbol' ? toStringOf(key) : key);
      if (!this.#isEnumerable(object, key, at)) continue;
      if (typeof key === 'symbol') symbols++;
      else if (passesOver?.(key) !== true) this.field(fields, key, this.read(object, key, at), at);
    }
    if (symbols > 0) this.warn(place, `an object with fields under symbols (${symbols}), which are left out`);
    return fields;
  }

  /** Of a description: the rest is left out. */
  #isFull(): boolean {
    return this.describes && this.#values > this.#limits.values;
  }

  field(fields: Record<string, unknown>, key: string, value: unknown, at: Place): void {
    if (!this.hasField(value, at)) return;
    if (!this.describes && isKeyTooLong(key)) this.#keyTooLong(at);
    this.#chars += key.length;
    this.convert(value, at, { target: fields, key });
  }

  /** Whether a field holds it; a value that is lost there is reported. */
  hasField(value: unknown, at: Place): boolean {
    if (typeof value !== 'function' && typeof value !== 'symbol') return value !== undefined;
    this.warn(at, `a ${typeof value}, and is left out`);
    return false;
  }

  #keyTooLong(place: Place): never {
    throw new BorderError(
      'limit',
      pathTo(place),
      `has a key of more than ${MAX_RESULT_KEY_BYTES} bytes as JSON; return such a text as a value, in a list of pairs perhaps`,
    );
  }

  /** Whatever a getter or a proxy answers. */
  read(object: object, key: PropertyKey, place: Place): unknown {
    try {
      return reflectGet(object, key);
    } catch (error) {
      return this.leaveOut(place, unreadable(place, error));
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
    if (isSafeInteger(number)) return number;
    this.warn(place, 'a BigInt beyond 2^53: its digits cross as text');
    return this.#text(toStringOf(value), place);
  }

  #object(value: object, place: Place, slot: Slot): unknown {
    try {
      return convertKind(this, value, place, slot);
    } catch (error) {
      const fault = BorderError.is(error) ? error : unreadable(place, error);
      if (!this.describes) return this.leaveOut(place, fault);
      return fault.kind === 'limit' ? LEFT_OUT : `[${fault.message}]`;
    }
  }
}

function unreadable(place: Place, thrown: unknown): BorderError {
  return new BorderError('value', pathTo(place), `cannot be read: ${reasonOf(thrown)}`);
}
