import type { z } from 'zod';
import type { Problem } from '../errors.ts';
import { joinPath } from '../json/path.ts';
import type { JsonFault } from '../json/reader.ts';
import { escapeControls, printable, quoteValue } from '../printable.ts';

/** Enough to correct a file; a hostile file can have a hundred thousand. */
const MAX_PROBLEMS = 50;

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses a foreign value and, where it does not fit, tells every problem in plain words. */
export function check<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problems: toProblems(parsed.error.issues, value) };
}

/** The issues of zod as problems: dotted path, what was expected, what came. */
function toProblems(issues: readonly z.core.$ZodIssue[], value: unknown): Problem[] {
  return limitProblems(unique(issues.flatMap((issue) => toProblem(issue, value, []))));
}

export function toJsonProblems(faults: readonly JsonFault[]): Problem[] {
  return faults.map(({ path, message }) => ({ path: printable(path), message: escapeControls(message) }));
}

/** Cuts a long list and says by how much. */
export function limitProblems(problems: readonly Problem[]): Problem[] {
  if (problems.length <= MAX_PROBLEMS) return [...problems];
  const more = problems.length - MAX_PROBLEMS;
  return [...problems.slice(0, MAX_PROBLEMS), { path: '', message: `and ${more} more problems` }];
}

type Path = readonly PropertyKey[];

function toProblem(issue: z.core.$ZodIssue, root: unknown, parent: Path): Problem[] {
  const path = [...parent, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const messages = issue.message.split('\n');
      return issue.keys.map((key, index) => ({
        path: pathText([...path, key]),
        message: messages[index] ?? 'unknown key',
      }));
    }
    case 'invalid_key':
      return [{ path: pathText(path), message: `wrong key: ${issue.issues[0]?.message ?? issue.message}` }];
    case 'invalid_union': {
      const meant = issue.errors.filter((branch) => !branch.some(isWrongKind));
      if (meant.length === 1) return meant[0]!.flatMap((inner) => toProblem(inner, root, path));
      break;
    }
  }
  return [{ path: pathText(path), message: withValue(issue.message, valueAt(root, path)) }];
}

// Somebody who writes an object where `true` or an object may stand means the object: only its issues help.
function isWrongKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function withValue(expected: string, value: unknown): string {
  return value === undefined ? `is missing: ${expected}` : `${expected}, got ${quoteValue(value)}`;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    return (value as Record<PropertyKey, unknown>)[key];
  }, root);
}

function pathText(path: Path): string {
  return joinPath(path.map((segment) => (typeof segment === 'string' ? printable(segment) : segment)));
}

// Two rules of one field can say the same sentence about the same value.
function unique(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.path}\n${problem.message}`, problem])).values()];
}
