/**
 * What the runner uses of the language, taken before any code of a plugin is loaded. A plugin can replace every global
 * and every method of a prototype afterwards; these stay what they were.
 */
const uncurry = <This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
): ((self: This, ...args: Args) => Result) => Function.prototype.call.bind(method) as never;

export const { stringify, parse } = JSON;
export const { get: reflectGet, set: reflectSet, apply: reflectApply } = Reflect;
export const { wait: atomicsWait } = Atomics;
export const { isFinite: isFiniteNumber } = Number;
export const { freeze, keys } = Object;
export const toStringOf = String;
export const bufferFrom = Buffer.from;
export const slice = uncurry(String.prototype.slice);
export const mapGet = uncurry(Map.prototype.get);
export const abortOf = uncurry(AbortController.prototype.abort);
export const endsWith = uncurry(String.prototype.endsWith);
