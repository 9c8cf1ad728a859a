import {
  add,
  compare,
  divide,
  floor,
  fraction,
  fromNumber,
  isExact,
  isInteger,
  isZero,
  modulo,
  multiply,
  negate,
  parseDecimal,
  power,
  squareRoot,
  subtract,
  toNumber,
} from './number.mjs';
import { ExpressionError } from './parser.mjs';

const ZERO = fraction(0n);
const ONE = fraction(1n);
const HUNDRED = fraction(100n);

export const CONSTANTS = new Map([
  ['pi', Math.PI],
  ['π', Math.PI],
  ['tau', 2 * Math.PI],
  ['e', Math.E],
]);

const viaDouble = (apply) => ({ arity: [1, 1], apply: (x) => apply(toNumber(x)) });
const extreme = (sign) => ({
  arity: [1, Number.POSITIVE_INFINITY],
  apply: (...all) => all.reduce((best, x) => (compare(x, best) === sign ? x : best)),
});
const sum = (...all) => all.reduce(add);

/** Name → how many arguments it takes and what it does. Angles are radians. */
export const FUNCTIONS = new Map([
  ['sqrt', { arity: [1, 1], apply: squareRoot }],
  ['cbrt', viaDouble(Math.cbrt)],
  ['abs', { arity: [1, 1], apply: (x) => (compare(x, ZERO) < 0 ? negate(x) : x) }],
  ['sign', { arity: [1, 1], apply: (x) => fraction(BigInt(compare(x, ZERO))) }],
  ['floor', { arity: [1, 1], apply: floor }],
  ['ceil', { arity: [1, 1], apply: (x) => negate(floor(negate(x))) }],
  ['trunc', { arity: [1, 1], apply: (x) => (compare(x, ZERO) < 0 ? negate(floor(negate(x))) : floor(x)) }],
  ['round', { arity: [1, 2], apply: round }],
  ['min', extreme(-1)],
  ['max', extreme(1)],
  ['sum', { arity: [1, Number.POSITIVE_INFINITY], apply: sum }],
  [
    'mean',
    {
      arity: [1, Number.POSITIVE_INFINITY],
      apply: (...all) => divide(sum(...all), fraction(BigInt(all.length))),
    },
  ],
  ['mod', { arity: [2, 2], apply: (a, b) => modulo(a, nonZero(b)) }],
  ['pow', { arity: [2, 2], apply: raise }],
  ['exp', viaDouble(Math.exp)],
  ['ln', viaDouble(Math.log)],
  ['log2', viaDouble(Math.log2)],
  ['log10', viaDouble(Math.log10)],
  ['log', { arity: [1, 2], apply: logarithm }],
  ['sin', viaDouble(Math.sin)],
  ['cos', viaDouble(Math.cos)],
  ['tan', viaDouble(Math.tan)],
  ['asin', viaDouble(Math.asin)],
  ['acos', viaDouble(Math.acos)],
  ['atan', viaDouble(Math.atan)],
  ['atan2', { arity: [2, 2], apply: (y, x) => Math.atan2(toNumber(y), toNumber(x)) }],
  ['hypot', { arity: [2, 2], apply: (x, y) => squareRoot(add(multiply(x, x), multiply(y, y))) }],
  ['rad', viaDouble((degrees) => (degrees * Math.PI) / 180)],
  ['deg', viaDouble((radians) => (radians * 180) / Math.PI)],
]);

const OPERATORS = {
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': (a, b) => divide(a, nonZero(b)),
  '%': (a, b) => modulo(a, nonZero(b)),
  '^': raise,
};

/** The value of a tree. `variables` maps names to finite numbers. Throws `ExpressionError` with the place of the fault. */
export function evaluate(node, variables) {
  switch (node.type) {
    case 'number':
      return literal(node);
    case 'name':
      return lookUp(node, variables);
    case 'group':
      return evaluate(node.value, variables);
    case 'percent':
      return divide(evaluate(node.value, variables), HUNDRED);
    case 'unary': {
      const value = evaluate(node.value, variables);
      return node.operator === '-' ? negate(value) : value;
    }
    case 'binary': {
      const left = evaluate(node.left, variables);
      const right = evaluate(node.right, variables);
      return checked(node, () => OPERATORS[node.operator](left, percentOf(node, left, right)));
    }
    case 'call':
      return call(node, variables);
  }
}

// 200 + 15% is 230, as on every pocket calculator; 200 * 15% is 30.
function percentOf({ operator, right: node }, left, right) {
  return node.type === 'percent' && (operator === '+' || operator === '-') ? multiply(left, right) : right;
}

function literal({ text, position }) {
  const value = parseDecimal(text);
  if (value === null) throw new ExpressionError(`the number "${text}" is out of range`, position);
  return value;
}

function lookUp({ name, position }, variables) {
  if (CONSTANTS.has(name)) return CONSTANTS.get(name);
  if (variables.has(name)) return fromNumber(variables.get(name));
  const known = [...CONSTANTS.keys(), ...variables.keys()].slice(0, 12).join(', ');
  const hint = FUNCTIONS.has(name) ? `write ${name}(…)` : `known names are ${known}`;
  throw new ExpressionError(`unknown name "${name}" (${hint})`, position);
}

function call(node, variables) {
  const { name, args, position } = node;
  const definition = FUNCTIONS.get(name);
  if (definition === undefined) {
    throw new ExpressionError(
      `unknown function "${name}" (known are ${[...FUNCTIONS.keys()].join(', ')})`,
      position,
    );
  }
  const [least, most] = definition.arity;
  if (args.length < least || args.length > most) {
    const wanted =
      least === most ? least : most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`;
    throw new ExpressionError(
      `${name} takes ${wanted} argument${wanted === 1 ? '' : 's'}, got ${args.length}`,
      position,
    );
  }
  const values = args.map((arg) => evaluate(arg, variables));
  return checked(node, () => definition.apply(...values));
}

// Every operation ends in a finite real number, or in an error that says where.
function checked({ position }, compute) {
  let value;
  try {
    value = compute();
  } catch (error) {
    throw error instanceof RangeError ? new ExpressionError(error.message, position) : error;
  }
  if (Number.isNaN(value)) throw new ExpressionError('no real number results', position);
  if (!isExact(value) && !Number.isFinite(value))
    throw new ExpressionError('the result is too large', position);
  return value;
}

function nonZero(divisor) {
  if (isZero(divisor)) throw new RangeError('division by zero');
  return divisor;
}

function raise(base, exponent) {
  if (isZero(base) && compare(exponent, ZERO) < 0) throw new RangeError('division by zero');
  return power(base, exponent);
}

/** Half away from zero, to `digits` decimals (may be negative). */
function round(value, digits = ZERO) {
  if (!isInteger(digits) || Math.abs(toNumber(digits)) > 100) {
    throw new RangeError('round takes a whole number of digits from -100 to 100');
  }
  const scale = power(fraction(10n), digits);
  const exact = isExact(value) ? value : fromNumber(value);
  const half = divide(ONE, fraction(2n));
  const magnitude = floor(add(multiply(compare(exact, ZERO) < 0 ? negate(exact) : exact, scale), half));
  return divide(compare(exact, ZERO) < 0 ? negate(magnitude) : magnitude, scale);
}

/** Base 10 unless a base is given. */
function logarithm(value, base) {
  if (base === undefined) return Math.log10(toNumber(value));
  const divisor = Math.log2(toNumber(base));
  return divisor === 0 ? Number.NaN : Math.log2(toNumber(value)) / divisor;
}
