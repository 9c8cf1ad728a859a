import type { ErrorObject } from 'ajv';
import type { Problem } from '../errors.ts';
import { harmlessCut } from '../printable.ts';
import { cutProblem } from './cut.ts';
import type { ErrorList } from './error-list.ts';

/** Of a path, before it is cut once more: a key of a value may be as long as the value. */
const MAX_READ_CHARS = 1_000;
const MAX_KEY_CHARS = 100;

/** The errors of ajv as problems: a few of them, each short and harmless. Their words are those of the schema and the value. */
export function toProblems({ kept, length }: ErrorList): Problem[] {
  const problems = kept.map(toProblem);
  const more = length - kept.length;
  return more > 0 ? [...problems, { path: '', message: `and ${more} more problems` }] : problems;
}

function toProblem({ instancePath, message = 'does not fit', params }: ErrorObject): Problem {
  const path = instancePath.slice(0, MAX_READ_CHARS).replace(/^\//, '').replaceAll('/', '.');
  const key = 'additionalProperty' in params ? String(params['additionalProperty']) : null;
  const detail = key === null ? '' : ` (\`${harmlessCut(key, MAX_KEY_CHARS)}\`)`;
  return cutProblem({ path, message: `${message}${detail}` });
}
