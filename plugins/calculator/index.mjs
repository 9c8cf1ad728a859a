import { CONSTANTS, evaluate, FUNCTIONS } from './evaluate.mjs';
import { findExpression } from './find.mjs';
import { toExactText, toNumber } from './number.mjs';
import { parse } from './parser.mjs';

/** The summary shows at most this much of an exact result; the rest is in `exact`. */
const MAX_SHOWN_DIGITS = 60;

/** Evaluates `inputData.expression`, or the first clear expression in `inputData.user_message`. */
export function execute({ inputData }, host) {
  const { expression, user_message: message = '' } = inputData;
  if (expression !== undefined) {
    return toResult(expression, evaluate(parse(expression), readVariables(inputData.variables)));
  }
  const found = findExpression(message);
  if (found === null) return { summary: 'No arithmetic expression found.', found: false };
  host.log('debug', `found an expression at character ${found.start}`);
  return toResult(found.expression, found.value);
}

function readVariables(variables = {}) {
  for (const name of Object.keys(variables)) {
    if (CONSTANTS.has(name) || FUNCTIONS.has(name)) {
      throw new Error(`\`variables.${name}\`: the name belongs to the calculator; choose another one`);
    }
  }
  return new Map(Object.entries(variables));
}

function toResult(expression, value) {
  const exact = toExactText(value);
  const number = toNumber(value);
  return {
    summary: `${expression} ${describe(exact, number)}`,
    found: true,
    expression,
    // Above about 1.8e308 there is no JSON number; the digits are in `exact`. `+ 0` turns -0 into 0.
    value: Number.isFinite(number) ? number + 0 : null,
    exact,
  };
}

function describe(exact, number) {
  if (exact !== null && !exact.includes('/') && exact.length <= MAX_SHOWN_DIGITS) return `= ${exact}`;
  return Number.isFinite(number) ? `≈ ${number}` : `= ${exact.slice(0, 20)}… (${exact.length} characters)`;
}
