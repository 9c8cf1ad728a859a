import type { Place } from './place.ts';
import { reflectGet, slice, toStringOf } from './primordials.ts';

/** Where what became of a value is put. */
export interface Slot {
  readonly target: object;
  readonly key: string | number;
}

export interface FieldsOptions {
  /** @default none */
  readonly fields?: Record<string, unknown>;
  /** @default no key */
  readonly passesOver?: (key: string) => boolean;
}

/** What the rules of `kinds.ts` can do with a value and with what is in it. */
export interface Conversion {
  /** Puts what becomes of a value into its slot. */
  convert(value: unknown, place: Place, slot: Slot): void;
  /** Whether it is what an error has that is described: nothing fails, and what is too much is left out. */
  readonly describes: boolean;
  /** Every element, those that are not there too; of the object that has them, where they were taken out of one. */
  list(elements: readonly unknown[], place: Place, holder?: object): unknown[];
  /** The enumerable fields of its own, without those that hold nothing, added to what is there. */
  fields(object: object, place: Place, options?: FieldsOptions): Record<string, unknown>;
  field(fields: Record<string, unknown>, key: string, value: unknown, at: Place): void;
  /** Whatever a getter or a proxy answers. */
  read(object: object, key: PropertyKey, place: Place): unknown;
  /** Goes into an object, unless it is too deep or is around itself; answers what the places of its members are made of. */
  enter(place: Place, object: object): Place;
  /** @throws BorderError when that many elements are more than a result may have values */
  assertRoom(elements: number, place: Place): void;
  /** @throws BorderError when that many characters are more than a result may have */
  assertChars(chars: number, place: Place): void;
  /** As base64. */
  bytes(bytes: Buffer, place: Place): string;
  /** Has what comes of the work take the place of a value, which null holds until then. */
  wait(place: Place, slot: Slot, value: () => Promise<unknown>): null;
  warn(place: Place, message: string): void;
  /** Stands for a value that is lost, and tells so. */
  lose(place: Place, message: string): null;
  refuse(place: Place, message: string): never;
}

const MAX_REASON_CHARS = 300;

/** Of a thrown value, whatever it is. */
export function reasonOf(thrown: unknown): string {
  try {
    const name = typeof thrown === 'object' && thrown !== null ? reflectGet(thrown, 'name') : undefined;
    const message = typeof thrown === 'object' && thrown !== null ? reflectGet(thrown, 'message') : thrown;
    const text = typeof name === 'string' ? `${name}: ${toStringOf(message)}` : toStringOf(message);
    return slice(text, 0, MAX_REASON_CHARS);
  } catch {
    return 'something that cannot be read was thrown';
  }
}
