import { types } from 'node:util';

/**
 * What the runner uses of the language, taken before any code of a plugin is loaded. A plugin can replace every global
 * and every method of a prototype afterwards; these stay what they were.
 */
export const uncurry = <This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
): ((self: This, ...args: Args) => Result) => Function.prototype.call.bind(method) as never;

export const { stringify, parse } = JSON;
// Newer than what TypeScript knows of JSON.
export const { isRawJSON } = JSON as unknown as { isRawJSON: (value: unknown) => boolean };
export const {
  get: reflectGet,
  set: reflectSet,
  apply: reflectApply,
  construct,
  deleteProperty,
  ownKeys,
  setPrototypeOf,
} = Reflect;
export const { wait: atomicsWait } = Atomics;
export const { isFinite: isFiniteNumber, isNaN: isNotANumber, isSafeInteger } = Number;
export const toNumber = Number;
export const { isArray } = Array;
export const ownSymbols = Object.getOwnPropertySymbols;
export const { freeze, keys, create, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn } =
  Object;
export const toStringOf = String;
export const bufferFrom = Buffer.from;
export const byteLength = Buffer.byteLength;
export const slice = uncurry(String.prototype.slice);
export const indexOf = uncurry(String.prototype.indexOf);
export const join = uncurry(Array.prototype.join);
export const mapGet = uncurry(Map.prototype.get);
export const mapForEach = uncurry(Map.prototype.forEach);
export const setForEach = uncurry(Set.prototype.forEach);
const sizeOf = (prototype: object) =>
  uncurry(Object.getOwnPropertyDescriptor(prototype, 'size')?.get as () => number);
export const sizeOfMap = sizeOf(Map.prototype) as (map: Map<unknown, unknown>) => number;
export const sizeOfSet = sizeOf(Set.prototype) as (set: Set<unknown>) => number;
export const stringValueOf = uncurry(String.prototype.valueOf);
export const numberValueOf = uncurry(Number.prototype.valueOf);
export const booleanValueOf = uncurry(Boolean.prototype.valueOf);
export const bigintValueOf = uncurry(BigInt.prototype.valueOf);
export const toIsoString = uncurry(Date.prototype.toISOString);
export const toTime = uncurry(Date.prototype.getTime);
export const toBase64 = uncurry(Buffer.prototype.toString);
export const sourceOf = uncurry(Function.prototype.toString);
export const abortOf = uncurry(AbortController.prototype.abort);
export const endsWith = uncurry(String.prototype.endsWith);
export const toLowerCase = uncurry(String.prototype.toLowerCase);
export const startsWith = uncurry(String.prototype.startsWith);

const { Promise: NativePromise, Error: NativeError } = globalThis;
/** `await` asks neither the global nor `then` for such a promise. */
export const newPromise = <T>(start: (resolve: (value: T) => void) => void): Promise<T> =>
  new NativePromise<T>(start);
export const isInstanceOfError = (value: unknown): value is Error => value instanceof NativeError;

/** Node's own tests of what a value is, which no prototype and no tag can answer. */
export const {
  isProxy,
  isNativeError,
  isDate,
  isMap,
  isSet,
  isRegExp,
  isPromise,
  isAnyArrayBuffer,
  isBoxedPrimitive,
  isBigIntObject,
  isSymbolObject,
  isNumberObject,
  isStringObject,
  isWeakMap,
  isWeakSet,
} = types;
export const isView = ArrayBuffer.isView;
export const objectPrototype = Object.prototype;
export const arrayPrototype = Array.prototype;
export const iterator: typeof Symbol.iterator = Symbol.iterator;
export const asyncIterator: typeof Symbol.asyncIterator = Symbol.asyncIterator;
export const toStringTag: typeof Symbol.toStringTag = Symbol.toStringTag;
