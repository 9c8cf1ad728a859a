import { printable } from '../printable.ts';

/** Where a key, an item or the document itself begins and ends in the text, and what is in it. */
export interface Located {
  /** Of a key with its quotes; of an item or the document, of its value. */
  readonly at: number;
  readonly end: number;
  readonly children: readonly (readonly [key: string | number, Located])[];
}

const BLANKS = /[ \t\r\n]*/y;
const TEXT = /"(?:[^"\\]+|\\.)*"/y;
const WORD = /[^\s,\]}]+/y;

/** Where everything stands in a text that is JSON; `parseJson` has to have read it before, which bounds its depth. */
export function locate(text: string): Located {
  let at = 0;

  function skip(pattern: RegExp): number {
    pattern.lastIndex = at;
    pattern.exec(text);
    return pattern.lastIndex;
  }

  function readValue(): Located['children'] {
    if (text[at] === '{') return readItems('}', readMember);
    if (text[at] === '[') return readItems(']', (index) => [index, readItem()]);
    at = skip(text[at] === '"' ? TEXT : WORD);
    return [];
  }

  function readItems(
    end: string,
    readOne: (index: number) => readonly [string | number, Located],
  ): Located['children'] {
    const items: (readonly [string | number, Located])[] = [];
    do {
      at++;
      at = skip(BLANKS);
      if (text[at] === end) break;
      items.push(readOne(items.length));
      at = skip(BLANKS);
    } while (text[at] === ',');
    at++;
    return items;
  }

  function readMember(): readonly [string, Located] {
    const begin = at;
    at = skip(TEXT);
    const end = at;
    at = skip(BLANKS) + 1;
    at = skip(BLANKS);
    return [JSON.parse(text.slice(begin, end)) as string, { at: begin, end, children: readValue() }];
  }

  function readItem(): Located {
    const begin = at;
    const children = readValue();
    return { at: begin, end: at, children };
  }

  at = skip(BLANKS);
  return readItem();
}

/** What stands at the path of a problem, or at the longest part of it that is there. */
export function findPath(root: Located, path: string): Located {
  const named = root.children
    .flatMap(([key, child]) => segmentsOf(key).map((segment) => ({ segment, child })))
    .filter(({ segment }) => path === segment || /^[.[]/.test(rest(path, segment)))
    // A key may have a dot in it.
    .sort((one, other) => other.segment.length - one.segment.length)[0];
  if (named === undefined) return root;
  return findPath(named.child, rest(path, named.segment).replace(/^\./, ''));
}

/** As a path may have a key: as it is, or as messages quote it. */
function segmentsOf(key: string | number): readonly string[] {
  return typeof key === 'number' ? [`[${key}]`] : [...new Set([key, printable(key)])];
}

function rest(path: string, segment: string): string {
  return path.startsWith(segment) ? path.slice(segment.length) : '';
}

/** Both from 1, as editors count them. */
export function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
