/** What is kept of the facts of one event; a larger or stranger object is replaced by a note that says so. */
const MAX_FACTS_BYTES = 8 * 1024;
const MAX_DEPTH = 16;

/**
 * A frozen copy of plain JSON. Walks no further than the limit, however large the value is. What is no plain JSON, or too
 * much of it, becomes `{ note }`.
 */
export function copyFacts(facts: unknown): Readonly<Record<string, unknown>> {
  try {
    const copy = copyValue(facts, { bytes: MAX_FACTS_BYTES }, 0);
    if (!isPlainObject(copy)) throw new Refused('it is no object');
    // The walk counts characters; what they come to as bytes is known of the text only.
    if (Buffer.byteLength(JSON.stringify(copy)) > MAX_FACTS_BYTES) throw new Refused(TOO_LARGE);
    return copy;
  } catch (error) {
    // Anything else came out of a getter or a proxy, and may itself be anything.
    return Object.freeze({ note: `Left out: ${error instanceof Refused ? error.message : 'unreadable'}.` });
  }
}

class Refused extends Error {}

const TOO_LARGE = `more than ${MAX_FACTS_BYTES / 1024} KiB of JSON`;

interface Budget {
  bytes: number;
}

function copyValue(value: unknown, budget: Budget, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new Refused(`nested deeper than ${MAX_DEPTH} levels`);
  spend(budget, typeof value === 'string' ? value.length + 2 : 1);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value + 0 : null; // As JSON has it, which knows no -0 either.
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return copyList(value, budget, depth);
      if (isPlainObject(value)) return copyObject(value, budget, depth);
  }
  throw new Refused('it holds something that is no plain JSON');
}

function copyList(list: readonly unknown[], budget: Budget, depth: number): readonly unknown[] {
  const copy: unknown[] = [];
  for (const value of list) copy.push(copyValue(value ?? null, budget, depth + 1));
  return Object.freeze(copy);
}

function copyObject(object: Readonly<Record<string, unknown>>, budget: Budget, depth: number) {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value === undefined) continue;
    if (key === '__proto__') throw new Refused('it has a key `__proto__`');
    spend(budget, key.length + 3);
    copy[key] = copyValue(value, budget, depth + 1);
  }
  return Object.freeze(copy);
}

function spend(budget: Budget, bytes: number): void {
  budget.bytes -= bytes;
  if (budget.bytes < 0) throw new Refused(TOO_LARGE);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
