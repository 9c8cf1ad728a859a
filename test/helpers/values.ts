import fc from 'fast-check';
import type { BorderLimits, BorderWarning } from '../../src/runner/limits.ts';
import { toResultText } from '../../src/runner/result.ts';
import {
  data,
  type Make,
  NONE,
  nothing,
  PLAIN,
  Point,
  REFUSED,
  SHARED,
  type Specimen,
  TOLD,
  withThen,
} from './specimens.ts';

/** What stands under a text: what holds nothing is no field, and neither is a function or a symbol, which is told. */
function inField(key: string, made: Specimen): { fields: [string, unknown][] } & Told {
  const at = /^[A-Za-z_$][\w$-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  const told = below(at, made);
  if (made.kind === 'nothing') return { fields: [], warned: NONE, refused: NONE };
  return { ...told, fields: made.kind === 'lost' ? [] : [[key, made.form]] };
}

type Told = Pick<Specimen, 'warned' | 'refused'>;

function below(at: string, { warned, refused }: Told): Told {
  return { warned: warned.map((path) => at + path), refused: refused.map((path) => at + path) };
}

function both(...parts: readonly Told[]): Told {
  return { warned: parts.flatMap(({ warned }) => warned), refused: parts.flatMap(({ refused }) => refused) };
}

/** Every one has a place, whatever it is. */
function inList(value: unknown, made: readonly Specimen[], at = (index: number) => `[${index}]`): Specimen {
  const told = both(...made.map((one, index) => below(at(index), one)));
  return {
    ...data(
      value,
      made.map(({ form }) => form),
    ),
    ...told,
  };
}

function inFields(
  value: unknown,
  members: readonly (readonly [string, Specimen])[],
  first: object = {},
): Specimen {
  const fields = members.map(([key, made]) => inField(key, made));
  const entries = [...Object.entries(first), ...fields.flatMap(({ fields }) => fields)];
  return { ...data(value, toObject(entries)), ...both(...fields) };
}

/** What cannot cross is left out of an error, and told. */
function inError(
  value: Error,
  members: readonly (readonly [string, Specimen])[],
  name: string = 'Error',
): Specimen {
  return { ...inFields(value, members, { name, message: 'm' }), refused: NONE };
}

/** With `__proto__` as a key like any other. */
function toObject(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

function later(value: unknown, made: Specimen): Specimen {
  return { ...made, value, isLater: true };
}

const KEYS = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('__proto__', 'constructor', 'length', 'name', '0', '7', 'two words', '\ud800', 'a', 'b'),
);

/** What a key means to the language itself is no field like any other. */
const isNoWord = (key: string): boolean => key !== 'then' && key !== 'toJSON';

/** Every kind of value in every other. `refuses`: also what cannot cross. */
export function anyValue({ refuses }: { readonly refuses: boolean }): fc.Arbitrary<Make> {
  const leaves = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PLAIN) },
    { weight: 3, arbitrary: fc.constantFrom(...TOLD, nothing) },
    { weight: refuses ? 1 : 0, arbitrary: fc.constantFrom(...REFUSED) },
  );
  return fc.letrec<{ value: Make }>((tie) => {
    const list = fc.array(tie('value'), { maxLength: 4 });
    const members = fc.uniqueArray(fc.tuple(KEYS.filter(isNoWord), tie('value')), {
      maxLength: 4,
      selector: ([key]) => key,
    });
    const lists = (wrap: (made: readonly Specimen[]) => Specimen) =>
      list.map(
        (makes): Make =>
          () =>
            wrap(makes.map((make) => make())),
      );
    const objects = (wrap: (made: readonly (readonly [string, Specimen])[]) => Specimen) =>
      members.map(
        (entries): Make =>
          () =>
            wrap(entries.map(([key, make]) => [key, make()] as const)),
      );
    const inside = (wrap: (made: Specimen) => Specimen) =>
      tie('value').map(
        (make): Make =>
          () =>
            wrap(make()),
      );
    const valuesOf = (made: readonly Specimen[]) => made.map(({ value }) => value);
    const entriesOf = (made: readonly (readonly [string, Specimen])[]) =>
      made.map(([key, { value }]) => [key, value] as const);
    return {
      value: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        leaves,
        lists((made) => inList(valuesOf(made), made)),
        lists((made) => inList(new Proxy(valuesOf(made), {}), made)),
        lists((made) => {
          const values = [...new Set(valuesOf(made))];
          return inList(
            new Set(values),
            values.map(
              (value) => made.find((one) => Object.is(one.value, value) || one.value === value) as Specimen,
            ),
          );
        }),
        lists((made) => inList(valuesOf(made).values(), made)),
        lists((made) => inList(generate(made), made)),
        lists((made) => inList(generateLater(made), made)),
        lists((made) => {
          const told = inList(generate(made, 'at the end'), made);
          return { ...told, warned: ['', ...told.warned] };
        }),
        lists((made) => {
          const sparse = Object.assign(
            [],
            { length: 1 },
            toObject(made.map(({ value }, index) => [`${index + 1}`, value])),
          );
          return inList(sparse, [nothing(), ...made]);
        }),
        objects((made) => inFields(toObject(entriesOf(made)), made)),
        objects((made) => inFields(Object.setPrototypeOf(toObject(entriesOf(made)), null), made)),
        objects((made) => inFields(new Proxy(toObject(entriesOf(made)), {}), made)),
        objects((made) => inFields(new Map(entriesOf(made)), made)),
        objects((made) => {
          const fields = made.filter(([key]) => !['name', 'length'].includes(key) && isOwn(key));
          const error = Object.assign(new Error('m'), toObject(entriesOf(fields)));
          return inError(error, fields);
        }),
        lists((made) => {
          const pairs = made.map((one, index) => inList([index, one.value], [data(index), one]));
          const told = inList(new Map(made.map(({ value }, index) => [index, value])), pairs);
          return made.length === 0 ? data(new Map(), {}) : { ...told, warned: ['', ...told.warned] };
        }),
        lists((made) =>
          inError(
            new AggregateError(valuesOf(made), 'm'),
            [['errors', inList(null, made)]],
            'AggregateError',
          ),
        ),
        inside((made) => inError(new Error('m', { cause: made.value }), [['cause', made]])),
        inside((made) => inError(Object.assign(new Error('m'), { cause: made.value }), [['cause', made]])),
        inside((made) =>
          inFields(Object.assign(new Point(), { inner: made.value }), [['inner', made]], { x: 1 }),
        ),
        inside((made) => inList([made.value], [made])),
        inside((made) => later(promiseOf(made), made)),
        inside((made) =>
          later(
            withThen((take: (value: unknown) => void) => void take(made.value)),
            made,
          ),
        ),
        // What `toJSON` gives is never a missing field: the object is there.
        inside((made) =>
          made.kind === 'data' && !made.isLater ? { ...made, value: { toJSON: () => made.value } } : made,
        ),
        fc.constantFrom(...SHARED).map(
          (make): Make =>
            () => {
              const made = make();
              return inList([made.value, { a: made.value }], [made, inFields(null, [['a', made]])]);
            },
        ),
      ),
    };
  }).value;
}

/** Under such a key an error has a meaning of its own. */
function isOwn(key: string): boolean {
  return !['message', 'stack', 'code', 'cause', 'errors', '__proto__', 'constructor'].includes(key);
}

function promiseOf({ value, refused }: Specimen): Promise<unknown> {
  const promise = Promise.resolve(value);
  // A promise of what cannot be looked at is rejected before anybody waits for it.
  if (refused.length > 0) promise.catch(() => {});
  return promise;
}

function* generate(made: readonly Specimen[], last?: unknown): Generator<unknown> {
  for (const { value } of made) yield value;
  return last;
}

async function* generateLater(made: readonly Specimen[]): AsyncGenerator<unknown> {
  for (const { value } of made) yield value;
}

/** Of JSON, without regard to the order of fields. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : inner,
  );
}

/** What comes to the caller of a value, with what is told of it. */
export async function crossing(
  value: unknown,
  limits: BorderLimits,
): Promise<{ json: string; warnings: readonly BorderWarning[] }> {
  let warnings: readonly BorderWarning[] = [];
  const json = await toResultText(value, limits, (told) => {
    warnings = told;
  });
  return { json, warnings };
}
