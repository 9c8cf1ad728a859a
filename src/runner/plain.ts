import { type BorderLimits, isKeyTooLong, ROOM_FOR_A_LOOK } from './limits.ts';
import {
  arrayPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  isFiniteNumber,
  isProxy,
  isRawJSON,
  objectPrototype,
  ownKeys,
  ownSymbols,
} from './primordials.ts';

/** Whether `JSON.stringify` writes all of it as it is, within the limits: most results are, and cost no copy. */
export function isPlain(value: unknown, { depth, values, bytes }: BorderLimits): boolean {
  let left = values;
  let chars = bytes * ROOM_FOR_A_LOOK;
  return hasPlainPrototypes() && visit(value, depth);

  function visit(value: unknown, levels: number): boolean {
    if (--left < 0) return false;
    if (typeof value === 'boolean' || value === null) return true;
    if (typeof value === 'string') return takes(value);
    if (typeof value === 'number') return isFiniteNumber(value);
    if (typeof value !== 'object' || levels === 0 || isProxy(value)) return false;
    return isArray(value) ? isPlainList(value, levels) : isPlainObject(value, levels);
  }

  function takes(text: string): boolean {
    chars -= text.length;
    return chars >= 0;
  }

  function isPlainList(list: readonly unknown[], levels: number): boolean {
    if (list.length > left || !hasPlainFace(list)) return false;
    // One more than elements: `length`. Holes and named fields show in the count.
    if (ownKeys(list).length !== list.length + 1) return false;
    for (let index = 0; index < list.length; index++) if (!visit(list[index], levels - 1)) return false;
    return true;
  }

  function isPlainObject(object: object, levels: number): boolean {
    if (!hasPlainFace(object)) return false;
    if (ownSymbols(object).length > 0) return false;
    // `for…in` takes half as long as a list of the keys. An inherited property has no own descriptor, and is no field.
    for (const key in object) {
      const descriptor = getOwnPropertyDescriptor(object, key);
      if (descriptor === undefined || !('value' in descriptor) || isKeyTooLong(key) || !takes(key))
        return false;
      if (!visit(descriptor.value, levels - 1)) return false;
    }
    return true;
  }
}

/** Whether it is an object or a list as a literal makes them. */
function hasPlainFace(value: object): boolean {
  const prototype = getPrototypeOf(value);
  if (prototype === null) return !isRawJSON(value);
  return prototype === objectPrototype || prototype === arrayPrototype;
}

/** What a plugin can give everything at once. It is not asked for: a getter of the plugin may throw. */
export function hasPlainPrototypes(): boolean {
  return (
    getOwnPropertyDescriptor(objectPrototype, 'toJSON') === undefined &&
    getOwnPropertyDescriptor(arrayPrototype, 'toJSON') === undefined
  );
}
