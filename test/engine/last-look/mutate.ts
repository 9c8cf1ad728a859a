/** Where something is in a body; `'profile'` steps from the option `seccomp={…}` into the profile that it holds. */
export type Path = readonly (string | number)[];

/** One change of a body: another value at a place, or, without one, the place removed. */
export interface Mutation {
  readonly at: Path;
  readonly to?: unknown;
}

export const PROFILE = 'profile';
const SECCOMP = 'seccomp=';

export function mutate(body: unknown, { at, ...change }: Mutation): unknown {
  const [step, ...rest] = at;
  if (step === undefined) return 'to' in change ? change.to : undefined;
  if (step === PROFILE && typeof body === 'string') {
    return SECCOMP + JSON.stringify(mutate(profileOf(body), { at: rest, ...change }));
  }
  if (Array.isArray(body)) {
    const list = [...body];
    if (rest.length === 0 && !('to' in change)) list.splice(Number(step), 1);
    else list[Number(step)] = mutate(list[Number(step)], { at: rest, ...change });
    return list;
  }
  const entries = new Map(Object.entries(body as object));
  if (rest.length === 0 && !('to' in change)) entries.delete(String(step));
  else entries.set(String(step), mutate(entries.get(String(step)), { at: rest, ...change }));
  // Unlike an assignment, this makes `__proto__` a field like any other.
  return Object.fromEntries(entries);
}

export function valueAt(body: unknown, at: Path): unknown {
  return at.reduce<unknown>(
    (value, step) =>
      step === PROFILE && typeof value === 'string' ? profileOf(value) : Reflect.get(value as object, step),
    body,
  );
}

function profileOf(option: string): unknown {
  return JSON.parse(option.slice(SECCOMP.length));
}

/** Every single change of a kind that a fault, a merge or an attacker could make, at every place of the value. */
export function* everyMutation(value: unknown, at: Path = []): Generator<Mutation> {
  if (at.length > 0) yield { at };
  for (const to of othersOf(value)) if (!Object.is(to, value)) yield { at, to };
  if (typeof value === 'string' && value.startsWith(SECCOMP)) {
    for (const mutation of everyMutation(profileOf(value))) {
      if (mutation.at.length > 0) yield { ...mutation, at: [...at, PROFILE, ...mutation.at] };
    }
  } else if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) yield* everyMutation(entry, [...at, index]);
  } else if (typeof value === 'object' && value !== null) {
    yield* everyAddition(value, at);
    for (const [field, entry] of Object.entries(value)) yield* everyMutation(entry, [...at, field]);
  }
}

const OF_EVERY_TYPE = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  2 ** 53,
  '',
  '0',
  'x',
  'host',
  [],
  [''],
  {},
  { x: 1 },
];

function othersOf(value: unknown): unknown[] {
  const others: unknown[] = OF_EVERY_TYPE.filter((other) => JSON.stringify(other) !== JSON.stringify(value));
  if (typeof value === 'number')
    others.push(value + 1, value - 1, value * 2, value + 0.5, String(value), [value]);
  if (typeof value === 'boolean') others.push(String(value), Number(value));
  if (typeof value === 'string') others.push(`${value} `, ` ${value}`, `${value}\0`, value.slice(1), [value]);
  if (typeof value === 'string' && value.toUpperCase() !== value) others.push(value.toUpperCase());
  if (Array.isArray(value)) {
    others.push([...value, 'x'], [...value, null], [...value, ...(value.length > 0 ? value : [[]])]);
    others.push({ ...value }, ...(value.length > 1 ? [value.toReversed()] : []));
  }
  return others;
}

function* everyAddition(value: object, at: Path): Generator<Mutation> {
  for (const field of ['Unknown', '', '__proto__', 'constructor', 'toString'])
    yield { at: [...at, field], to: {} };
  for (const [field, entry] of Object.entries(value)) {
    for (const variant of caseVariants(field)) yield { at: [...at, variant], to: entry };
  }
}

/** Other spellings that Go takes for the same field: it ignores case, and folds `ſ` and the Kelvin sign. */
export function caseVariants(field: string): string[] {
  const variants = [
    field.toLowerCase(),
    field.toUpperCase(),
    field.replace(/s/i, 'ſ'),
    field.replace(/k/i, '\u212a'),
  ];
  return [...new Set(variants)].filter((variant) => variant !== field);
}
