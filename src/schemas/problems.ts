import type { ErrorObject } from 'ajv';
import type { Problem } from '../errors.ts';
import { escapeAndCut, quoteValue } from '../printable.ts';
import { cutProblem } from './cut.ts';
import type { ErrorList } from './error-list.ts';

/** Of a path, before it is cut once more: a key of a value may be as long as the value. */
const MAX_READ_CHARS = 1_000;
const MAX_KEY_CHARS = 100;
const MAX_LISTED_VALUES = 20;

/** What a problem may say of a value. A configuration may hold secrets, so of its values only the kind is named. */
export type Quoting = 'values' | 'kinds';

/** The errors of ajv as problems: a few of them, each short and harmless. Their words are those of the schema and the value. */
export function toProblems({ kept, length }: ErrorList, value: unknown, quoting: Quoting): Problem[] {
  const problems = kept.map((error) => toProblem(error, value, quoting));
  const more = length - kept.length;
  return more > 0 ? [...problems, { path: '', message: `and ${more} more problems` }] : problems;
}

/** The same for a schema that does not fit the schema of schemas, whose branches all say something of one place: the first counts. */
export function toSchemaProblems({ kept }: ErrorList, schema: unknown): Problem[] {
  const problems = new Map<string, Problem>();
  for (const error of kept) {
    const problem = toProblem(error, schema, 'values');
    if (!problems.has(problem.path)) problems.set(problem.path, problem);
  }
  return [...problems.values()];
}

function toProblem(error: ErrorObject, root: unknown, quoting: Quoting): Problem {
  const { instancePath, propertyName } = error;
  const path = instancePath.slice(0, MAX_READ_CHARS).replace(/^\//, '').replaceAll('/', '.');
  const got = NEEDS_NO_VALUE.has(error.keyword)
    ? ''
    : `, got ${describe(propertyName ?? valueAt(root, instancePath), quoting)}`;
  return cutProblem({
    path: path.replaceAll('~1', '/').replaceAll('~0', '~'),
    message: `${expected(error)}${got}`,
  });
}

/** Problems that are about a key or a branch, and not about the value as a whole. */
const NEEDS_NO_VALUE: ReadonlySet<string> = new Set([
  'required',
  'dependencies',
  'dependentRequired',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'additionalItems',
  'unevaluatedItems',
  'items',
  'prefixItems',
  'contains',
  'minContains',
  'maxContains',
  'uniqueItems',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'false schema',
  'anyOf',
  'oneOf',
  'allOf',
  'not',
  'if',
]);

function expected({ keyword, message = 'does not fit', params }: ErrorObject): string {
  const key = params['additionalProperty'] ?? params['unevaluatedProperty'] ?? params['propertyName'];
  if (typeof key === 'string') return `${message} (\`${escapeAndCut(key, MAX_KEY_CHARS)}\`)`;
  if (keyword === 'type') return `must be ${String(params['type']).replaceAll(',', ' or ')}`;
  if (keyword === 'const') return `must be ${quoteValue(params['allowedValue'])}`;
  if (keyword === 'enum') return `must be ${listOf(params['allowedValues'])}`;
  return message;
}

function listOf(values: readonly unknown[]): string {
  const shown = values.slice(0, MAX_LISTED_VALUES).map(quoteValue).join(', ');
  return `one of ${shown}${values.length > MAX_LISTED_VALUES ? ` and ${values.length - MAX_LISTED_VALUES} more` : ''}`;
}

function describe(value: unknown, quoting: Quoting): string {
  if (quoting === 'values' || value === null || typeof value === 'object') return quoteValue(value);
  return typeof value === 'string' ? `a text of ${value.length} characters` : `a ${typeof value}`;
}

function valueAt(root: unknown, pointer: string): unknown {
  if (pointer === '') return root;
  let value = root;
  for (const segment of pointer.slice(1).split('/')) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~');
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
