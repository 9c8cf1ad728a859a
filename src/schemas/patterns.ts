/** A letter behind a backslash that means something without the flag `u`; any other would stand for itself. */
const ESCAPE = String.raw`\\(?:[dDwWsSbBnrtfv]|c[A-Za-z]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})`;
const MEANS_NOTHING = new RegExp(String.raw`^(?:[^\\]|\\[^A-Za-z]|${ESCAPE})*(?!${ESCAPE})\\[A-Za-z]`);

/** With the flag `u` these may be escaped, and nothing else that is no letter. */
const MAY_BE_ESCAPED = '^$\\.*+?()[]{}|/';

/**
 * A pattern as people write it. The flag `u` makes `\p{L}` and whole characters of it, and refuses escapes that do nothing, such
 * as `\@` or `\-`; those are left out, and what still does not fit is read without the flag, as the first browsers did.
 * @throws SyntaxError for what is no pattern of JavaScript in either way, or would be one of another meaning
 */
export function toRegExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch (error) {
    return tryRegExp(withoutNeedlessEscapes(pattern), 'u') ?? withoutFlag(pattern, error);
  }
}

function withoutFlag(pattern: string, error: unknown): RegExp {
  // `\Z` of Python would be the letter Z.
  if (MEANS_NOTHING.test(pattern)) throw error;
  const read = tryRegExp(pattern, '');
  if (read === null) throw error;
  return read;
}

function tryRegExp(pattern: string, flags: string): RegExp | null {
  try {
    return new RegExp(pattern, flags);
  } catch {
    return null;
  }
}

function withoutNeedlessEscapes(pattern: string): string {
  let isInClass = false;
  return pattern.replaceAll(/\\[\s\S]|[[\]]/gu, (found) => {
    if (found.length === 1) {
      isInClass = found === '[' || (isInClass && found !== ']');
      return found;
    }
    const escaped = found.slice(1);
    const isNeeded =
      /[A-Za-z0-9]/.test(escaped) || MAY_BE_ESCAPED.includes(escaped) || (isInClass && escaped === '-');
    return isNeeded ? found : escaped;
  });
}
