import { DEFAULT_MAX_JSON_DEPTH } from '../json/reader.ts';
import { type ExecutionContextConfig, ExecutionContextSchema, parseContext, toCamelCase } from './context.ts';
import { EventLoopYielder } from './event-loop-yielder.ts';

/** Values between two looks at the clock. */
const MEMBERS_PER_LOOK = 256;

/** The parts of a context that can be large: a workflow hands what one plugin answered to another. */
const VALUES = ['inputData', 'parameters', 'environment', 'config'] as const;

/**
 * What `parseContext` answers and throws, in turns with everything else where the context is large: a million values would
 * hold up all other calls. A small one is read at once.
 */
export function readContext(written: unknown): ExecutionContextConfig | Promise<ExecutionContextConfig> {
  const copying = copyMembers(written);
  const yielder = new EventLoopYielder();
  for (;;) {
    const step = next(copying);
    if (step.done) return finish(written, step.value);
    if (yielder.isOver()) return readOn(written, copying, yielder);
  }
}

type Copying = Generator<undefined, object | null>;

async function readOn(
  written: unknown,
  copying: Copying,
  yielder: EventLoopYielder,
): Promise<ExecutionContextConfig> {
  for (;;) {
    await yielder.next();
    do {
      const step = next(copying);
      if (step.done) return finish(written, step.value);
    } while (!yielder.isOver());
  }
}

/** A getter that throws is reported by `parseContext`. */
function next(copying: Copying): IteratorResult<undefined, object | null> {
  try {
    return copying.next();
  } catch {
    return { done: true, value: null };
  }
}

function finish(written: unknown, copy: object | null): ExecutionContextConfig {
  if (copy === null) return parseContext(written);
  const named = toCamelCase(copy) as Record<string, unknown>;
  const values = VALUES.filter((key) => Object.hasOwn(named, key)).map((key) => [key, named[key]] as const);
  const empty = values.map(([key, value]) => [key, key === 'inputData' ? null : emptied(value)]);
  const parsed = ExecutionContextSchema.safeParse({ ...named, ...Object.fromEntries(empty) });
  // It reports every problem.
  if (!parsed.success) return parseContext(written);
  return { ...parsed.data, ...Object.fromEntries(values) };
}

function emptied(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? {} : value;
}

/** `null`: it is not plain JSON, or too deep. What is not there counts as left out, at the top only. */
function* copyMembers(written: unknown): Copying {
  if (!isPlain(written) || Array.isArray(written)) return null;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(written)) {
    if (value === undefined) continue;
    const member: unknown[] = [];
    if (key === '__proto__' || !(yield* copyInto(member, value))) return null;
    copy[key] = member[0];
  }
  return copy;
}

interface Open {
  readonly source: Readonly<Record<string, unknown>> | readonly unknown[];
  /** `null`: a list. */
  readonly keys: readonly string[] | null;
  readonly target: Record<string, unknown> | unknown[];
  at: number;
}

/** Without recursion, so that it can stop anywhere. Answers whether the value is plain JSON. */
function* copyInto(into: unknown[], root: unknown): Generator<undefined, boolean> {
  const open: Open[] = [{ source: [root], keys: null, target: into, at: 0 }];
  for (let members = 1; ; members++) {
    const top = open.at(-1);
    if (top === undefined) return true;
    const { source, keys, target } = top;
    if (top.at === (keys ?? (source as readonly unknown[])).length) {
      open.pop();
      continue;
    }
    const key = keys === null ? top.at : (keys[top.at] as string);
    top.at++;
    const value = (source as Record<PropertyKey, unknown>)[key];
    const copy = isScalar(value) ? value : openCopy(value, open);
    if (copy === undefined || key === '__proto__') return false;
    if (Array.isArray(target)) target.push(copy);
    else target[key] = copy;
    if (members % MEMBERS_PER_LOOK === 0) yield;
  }
}

function isScalar(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return value === null || typeof value === 'string' || typeof value === 'boolean';
}

function openCopy(value: unknown, open: Open[]): Open['target'] | undefined {
  if (!isPlain(value) || open.length >= DEFAULT_MAX_JSON_DEPTH) return undefined;
  const target = Array.isArray(value) ? [] : {};
  open.push({
    source: value as Open['source'],
    keys: Array.isArray(value) ? null : Object.keys(value),
    target,
    at: 0,
  });
  return target;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value) as unknown;
  // Another realm's objects are left to `parseContext`.
  return prototype === Object.prototype || prototype === null;
}
