import type { Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import { isRecord, shorten } from './values.ts';

/** Stands in the place of an expected value and judges it: answers what is expected, or `null` when all is well. */
export type Judge = (value: unknown) => string | null;

/**
 * Every place where plain data is not exactly what is expected, and every field that is not known there. Only own fields
 * count, and only under their very names: Go reads `privileged` and `PRIVILEGED` as `Privileged`.
 */
export function differences(
  actual: unknown,
  expected: unknown,
  path: readonly (string | number)[] = [],
): Problem[] {
  if (typeof expected === 'function') return judged(actual, expected as Judge, path);
  if (Array.isArray(expected) && Array.isArray(actual) && actual.length === expected.length) {
    return expected.flatMap((wanted, index) => differences(actual[index], wanted, [...path, index]));
  }
  if (isRecord(expected) && isRecord(actual)) {
    return [...unknownFields(actual, expected, path), ...wrongFields(actual, expected, path)];
  }
  return Object.is(actual, expected) ? [] : [problem(path, shorten(expected), actual)];
}

function judged(actual: unknown, judge: Judge, path: readonly (string | number)[]): Problem[] {
  const wanted = judge(actual);
  return wanted === null ? [] : [problem(path, wanted, actual)];
}

function unknownFields(actual: object, expected: object, path: readonly (string | number)[]): Problem[] {
  return Object.keys(actual)
    .filter((field) => !Object.hasOwn(expected, field))
    .map((field) => ({
      path: joinPath([...path, field]),
      message: 'this field is not in the allowed set',
    }));
}

function wrongFields(
  actual: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, unknown>>,
  path: readonly (string | number)[],
): Problem[] {
  return Object.entries(expected).flatMap(([field, wanted]) =>
    differences(Object.hasOwn(actual, field) ? actual[field] : undefined, wanted, [...path, field]),
  );
}

function problem(path: readonly (string | number)[], expected: string, actual: unknown): Problem {
  return { path: joinPath(path), message: `expected ${expected}, got ${shorten(actual)}` };
}
