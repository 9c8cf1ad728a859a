import type { Problem } from '../errors.ts';
import { escapeAndCut } from '../printable.ts';

/** Nobody reads more. */
export const MAX_KEPT_ERRORS = 20;
/** The kept ones, and how many more there are. */
export const MAX_PROBLEMS = MAX_KEPT_ERRORS + 1;
const MAX_PATH_CHARS = 200;
const MAX_MESSAGE_CHARS = 500;

export function cutProblem({ path, message }: Problem): Problem {
  return { path: escapeAndCut(path, MAX_PATH_CHARS), message: escapeAndCut(message, MAX_MESSAGE_CHARS) };
}

export function cutReason(reason: string): string {
  return escapeAndCut(reason, MAX_MESSAGE_CHARS);
}
