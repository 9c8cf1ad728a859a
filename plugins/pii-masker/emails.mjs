/** Longest local part and longest domain that RFC 5321 allows. */
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;

// Latin script and not all letters: Chinese is written without blanks around an address.
const LOCAL = /[\p{Script=Latin}\p{N}._%+'&~!#$*^/-]/u;
const DOMAIN = /[\p{Script=Latin}\p{N}.-]/u;
const WORD = /[\p{Script=Latin}\p{N}_]/u;
const LABEL = /^[\p{Script=Latin}\p{N}](?:[\p{Script=Latin}\p{N}-]{0,61}[\p{Script=Latin}\p{N}])?$/u;
const TOP_LEVEL = /^(?:xn--[a-z0-9-]{1,59}|\p{Script=Latin}{2,63})$/iu;

/** Grows outwards from each `@`, so that a text without one costs nothing and one full of them stays linear. */
export function* findEmails(text) {
  let floor = 0;
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const start = startOfLocal(text, at, floor);
    const end = endOfDomain(text, at);
    if (start < at && end > at) {
      yield { start, end };
      floor = end;
    }
  }
}

function startOfLocal(text, at, floor) {
  let start = at;
  while (start > floor && at - start < MAX_LOCAL && LOCAL.test(text[start - 1])) start--;
  // Quotes, emphasis and slashes in front belong to the sentence.
  while (start < at && !WORD.test(text[start])) start++;
  return start;
}

/** Where the longest valid domain after `at` ends, or `at` when there is none. */
function endOfDomain(text, at) {
  let end = at + 1;
  while (end < text.length && end - at <= MAX_DOMAIN && DOMAIN.test(text[end])) end++;
  const labels = text.slice(at + 1, end).split('.');
  const invalid = labels.findIndex((label) => !LABEL.test(label));
  const valid = invalid === -1 ? labels : labels.slice(0, invalid);
  while (valid.length > 1 && !TOP_LEVEL.test(valid.at(-1))) valid.pop();
  return valid.length < 2 ? at : at + 1 + valid.join('.').length;
}
