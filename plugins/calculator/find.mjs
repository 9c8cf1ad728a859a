/** Finds the first arithmetic expression in ordinary text, and only where it clearly is one. */
import { CONSTANTS, evaluate, FUNCTIONS } from './evaluate.mjs';
import { ExpressionError, MAX_LENGTH, parse } from './parser.mjs';

const NAMES = [...FUNCTIONS.keys(), ...CONSTANTS.keys()].sort((a, b) => b.length - a.length).join('|');

/** Candidates that may turn out not to be expressions before the search gives up. */
const MAX_ATTEMPTS = 1000;

/** One piece of something that could be an expression. Each alternative is bounded or cannot backtrack. */
const PIECE = new RegExp(
  [
    '(?<number>(?:\\d{1,3}(?:,\\d{3})+(?!\\d)|\\d+)(?:\\.\\d+)?)',
    `(?<name>(?<![\\p{L}\\p{N}_])(?:${NAMES})(?![\\p{L}\\p{N}_]))`,
    '(?<of>(?<=%\\s{0,3})of\\b)',
    '(?<symbol>\\*\\*|[-+*/%^(),−–×·÷])',
    '(?<blank>[ \\t\\u00a0$€£¥])',
  ].join('|'),
  'uy',
);

const ASKED_BEFORE =
  /(?:what(?:'s|’s| is| are)|calculate|compute|evaluate|work out|how much (?:is|are)|计算|算一下|等于)\s{0,3}:?\s{0,3}$/i;
const ASKED_AFTER = /^\s{0,3}(?:=|等于|是多少)/;
/** At least one operator between operands, or a call. */
const OPERATION = /[\d)]\s*(?:\*\*|[-+*/^−–×·÷]|%\s*of\b|%\s*(?=[\d(]))\s*[-\d(\p{L}]|\p{L}\s*\(/u;
/** `3/4`, `24/7` and `10 - 15` also mean other things, these do not. */
const STRONG = /\d\s*[*×·÷^]|\d%\s*of\s|[\d)]\s*\+\s*[\d(]|[\d)]\s\/\s[\d(]|\p{L}\(/u;
/** Dates, and numbers with a leading zero as in codes and telephone numbers. */
const NOT_ARITHMETIC = /\d{4}-\d{1,2}-\d{1,2}|(?<![\d.])0\d/;

/** The expression, its value and where it starts (from 0), or `null`. */
export function findExpression(message) {
  let attempts = 0;
  for (const run of runs(message)) {
    const text = toExpression(run.text);
    if (!OPERATION.test(text) || NOT_ARITHMETIC.test(text) || !isClear(message, run, text)) continue;
    if (++attempts > MAX_ATTEMPTS) break;
    const value = tryEvaluate(text);
    if (value !== null) return { expression: text, value, start: run.start };
  }
  return null;
}

/** Longest stretches of pieces, each read once from left to right. */
function* runs(message) {
  let start = -1;
  for (let at = 0; at <= message.length; ) {
    PIECE.lastIndex = at;
    const match = at < message.length ? PIECE.exec(message) : null;
    if (match !== null) {
      if (start === -1 && match.groups.blank === undefined) start = at;
      at += match[0].length;
      continue;
    }
    if (start !== -1 && at - start <= MAX_LENGTH) {
      const text = message.slice(start, at).trimEnd();
      yield { start, end: start + text.length, text };
    }
    start = -1;
    at++;
  }
}

// Takes off what belongs to the sentence: bullets, emphasis, commas and brackets without a partner.
function toExpression(run) {
  const plain = run
    .replace(/[\u00a0$€£¥]/g, ' ')
    .replace(/^(?:[\s*/^%,)×·÷+]|[-–−](?=\s))+/, '')
    .replace(/[\s,*/^×·÷+–−-]+$/, '');
  return ungroup(balance(plain)).trim();
}

function balance(text) {
  const surplus = count(text, '(') - count(text, ')');
  if (surplus > 0) return text.replace(/^\(+/, (open) => open.slice(surplus));
  return surplus < 0 ? text.replace(/\)+$/, (closing) => closing.slice(-surplus)) : text;
}

const count = (text, sign) => text.split(sign).length - 1;

// Inside a call the comma parts arguments; elsewhere `1,200` is one number.
const ungroup = (text) => (/\p{L}\s*\(/u.test(text) ? text : text.replace(/(?<=\d),(?=\d{3}(?!\d))/g, ''));

function isClear(message, { start, end }, text) {
  // Part of a word, a time or a code such as INV-2024-17 is no arithmetic.
  const before = message.slice(Math.max(0, start - 40), start);
  const after = message.slice(end, end + 10);
  if (/(?:[\p{Script=Latin}\p{N}_.#@]|\p{N}:)$/u.test(before)) return false;
  if (/^(?:[\p{Script=Latin}_@]|[:.]\p{N})/u.test(after)) return false;
  return STRONG.test(text) || ASKED_BEFORE.test(before) || ASKED_AFTER.test(after);
}

function tryEvaluate(text) {
  try {
    return evaluate(parse(text), new Map());
  } catch (error) {
    if (error instanceof ExpressionError) return null;
    throw error;
  }
}
