import { MAX_CONTEXT_BYTES } from '../calls/context.ts';
import { EventLoopYielder } from '../calls/event-loop-yielder.ts';
import { DEFAULT_MAX_JSON_DEPTH } from '../json/reader.ts';

/**
 * What keeps a value from being handed on, or `null`: it is plain JSON of a bounded size and depth. A value that many
 * references share counts as often as it would be written.
 */
export async function findUnfit(value: unknown): Promise<string | null> {
  const yielder = new EventLoopYielder();
  let bytes = 0;
  for (const part of weigh(value, 0)) {
    if (typeof part === 'string') return part;
    bytes += part;
    if (bytes > MAX_CONTEXT_BYTES) return `has more than ${MAX_CONTEXT_BYTES} bytes`;
    if (yielder.isOver()) await yielder.next();
  }
  return null;
}

/** The bytes of each part as JSON, or a fault. */
function* weigh(value: unknown, depth: number): Generator<number | string> {
  if (typeof value === 'string') yield bytesOf(value);
  else if (value === null || typeof value === 'boolean' || Number.isFinite(value)) yield String(value).length;
  else if (depth >= DEFAULT_MAX_JSON_DEPTH) yield `is nested deeper than ${DEFAULT_MAX_JSON_DEPTH} levels`;
  else if (Array.isArray(value)) {
    yield 2;
    for (const item of value) {
      yield 1;
      yield* weigh(item, depth + 1);
    }
  } else if (isPlainObject(value)) {
    yield 2;
    for (const [key, member] of Object.entries(value)) {
      if (key === '__proto__') yield 'holds the key `__proto__`';
      yield bytesOf(key) + 2;
      yield* weigh(member, depth + 1);
    }
  } else yield 'holds something that is not plain JSON';
}

function bytesOf(text: string): number {
  // What is too long need not be written to know it.
  return text.length > MAX_CONTEXT_BYTES ? text.length : Buffer.byteLength(JSON.stringify(text));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
