import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findPath, type Located, locate, placeOf } from '../../src/documents/places.ts';

/** Every value, put together again from the places of its parts. */
function rebuild(text: string, { at, end, children }: Located, value: unknown): unknown {
  if (Array.isArray(value))
    return children.map(([index, child]) => rebuild(text, child, value[index as number]));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      children.map(([key, child]) => {
        expect(JSON.parse(text.slice(child.at, child.end))).toBe(key);
        const inner = (value as Record<string, unknown>)[key];
        return [key, child.children.length > 0 ? rebuild(text, child, inner) : inner];
      }),
    );
  return JSON.parse(text.slice(at, end));
}

test('every key and item of any JSON is found at its place', () => {
  const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
  fc.assert(
    fc.property(json, fc.constantFrom(0, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(rebuild(text, locate(text), value)).toEqual(JSON.parse(text));
    }),
  );
});

test('a path leads to its key, or to the last existing part of it', () => {
  const text = '{"a": [1, {"b c": "}"}], "a.b": 2}';
  const at = (path: string) => text.slice(findPath(locate(text), path).at).slice(0, 5);
  expect(at('a[1].b c')).toBe('"b c"');
  expect(at('a.b')).toBe('"a.b"');
  expect(at('a[1].nowhere')).toBe('{"b c');
  expect(at('')).toBe('{"a":');
});

test('lines and columns are counted from 1', () => {
  expect(placeOf('ab\ncd', 0)).toEqual({ line: 1, column: 1 });
  expect(placeOf('ab\ncd', 4)).toEqual({ line: 2, column: 2 });
});
