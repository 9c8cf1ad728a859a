import { isPlainText } from '../printable.ts';

/** Where a value is taken from: the input of the workflow, or a step that ran before. */
export interface Reference {
  /** As written: `fetch.result.items[0].title`. */
  readonly $from: string;
  /** Stands in where the value is not there; may be `null`, so that its presence is what counts. */
  readonly default?: unknown;
}

/** A reference with its place in the document. */
export interface PlacedReference {
  readonly reference: Reference;
  readonly at: readonly PropertyKey[];
}

export interface Path {
  /** `input`, or the name of a step. */
  readonly root: string;
  readonly keys: readonly (string | number)[];
}

/** The one name that no step can have. */
export const INPUT = 'input';

const ROOT = /^[a-z][a-z0-9-]*/;
const KEY = /\.([^.[\]]+)|\[(0|[1-9]\d{0,8})\]/y;

/** `fetch.result.items[0]` → its parts; `null` where it is no path. */
export function parsePath(text: string): Path | null {
  const root = ROOT.exec(text)?.[0];
  if (root === undefined || !isPlainText(text)) return null;
  const keys: (string | number)[] = [];
  for (let at = root.length; at < text.length; at = KEY.lastIndex) {
    KEY.lastIndex = at;
    const [match, key, index] = KEY.exec(text) ?? [];
    if (match === undefined || key === '__proto__') return null;
    keys.push(key ?? Number(index));
  }
  return { root, keys };
}

/** For a reference that was found right. */
export function pathOf({ $from }: Reference): Path {
  return parsePath($from) as Path;
}

/** Every object with a `$from` is meant as a reference, whatever else it holds. */
export function isReference(value: unknown): value is Reference {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, '$from');
}

/** The references in a value as a person writes it. They are not looked into: what they hold is no template. */
export function* findReferences(value: unknown, at: readonly PropertyKey[] = []): Generator<PlacedReference> {
  if (isReference(value)) yield { reference: value, at };
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Array.isArray(value) ? value.entries() : Object.entries(value))
      yield* findReferences(member, [...at, key]);
  }
}
