/**
 * Numbers of the calculator. A value is either exact, a reduced fraction `{ n, d }` of bigints with `d > 0`, or a plain
 * double once a function such as `sin` or the size limit made it approximate. So 0.1 + 0.2 is 0.3 and 2^100 has all its
 * digits.
 */

/** Fractions above this many bits become doubles, which keeps every single operation cheap. */
export const MAX_BITS = 2048;

export const isExact = (value) => typeof value !== 'number';

/** Reduces `n / d`; a fraction that is too large turns into the nearest double. `d` must not be 0. */
export function fraction(n, d = 1n) {
  const divisor = gcd(n, d) * (d < 0n ? -1n : 1n);
  const value = { n: n / divisor, d: d / divisor };
  return bits(value.n) > MAX_BITS || bits(value.d) > MAX_BITS ? toNumber(value) : value;
}

/** The exact value of a decimal literal such as `12.50e-3`, or `null` when its exponent is out of range. */
export function parseDecimal(literal) {
  const [mantissa, exponent = '0'] = literal.toLowerCase().split('e');
  const [whole, decimals = ''] = mantissa.split('.');
  const scale = Number(exponent) - decimals.length;
  if (Math.abs(scale) > 600) return null;
  const digits = BigInt(`${whole}${decimals}`);
  return scale < 0 ? fraction(digits, 10n ** BigInt(-scale)) : fraction(digits * 10n ** BigInt(scale));
}

/** A finite JavaScript number as the decimal that it prints as: 0.1 is one tenth. */
export function fromNumber(number) {
  const value = parseDecimal(String(Math.abs(number))) ?? Math.abs(number);
  return number < 0 ? negate(value) : value;
}

/** The nearest double, or an infinity when there is none. */
export function toNumber(value) {
  if (!isExact(value)) return value;
  const { n, d } = value;
  const magnitude = n < 0n ? -n : n;
  // A quotient of at least 66 bits with a sticky last bit rounds once, in `Number`, and not twice.
  const shift = BigInt(Math.max(0, 66 - bits(magnitude) + bits(d)));
  const scaled = magnitude << shift;
  const quotient = (scaled / d) | (scaled % d === 0n ? 0n : 1n);
  const half = Number(shift / 2n);
  // Two steps, because 2^-shift alone can be too small for a double.
  const result = Number(quotient) * 2 ** -half * 2 ** -(Number(shift) - half);
  return n < 0n ? -result : result;
}

export const negate = (value) => (isExact(value) ? { n: -value.n, d: value.d } : -value);

export const add = (a, b) =>
  isExact(a) && isExact(b) ? fraction(a.n * b.d + b.n * a.d, a.d * b.d) : toNumber(a) + toNumber(b);

export const subtract = (a, b) => add(a, negate(b));

export const multiply = (a, b) =>
  isExact(a) && isExact(b) ? fraction(a.n * b.n, a.d * b.d) : toNumber(a) * toNumber(b);

/** `b` must not be zero. */
export const divide = (a, b) =>
  isExact(a) && isExact(b) ? fraction(a.n * b.d, a.d * b.n) : toNumber(a) / toNumber(b);

/** The remainder with the sign of the divisor, as in mathematics: -7 mod 3 is 2. `b` must not be zero. */
export const modulo = (a, b) => subtract(a, multiply(b, floor(divide(a, b))));

export const isZero = (value) => (isExact(value) ? value.n === 0n : value === 0);

export const isInteger = (value) => (isExact(value) ? value.d === 1n : Number.isInteger(value));

export function compare(a, b) {
  const difference = isExact(a) && isExact(b) ? a.n * b.d - b.n * a.d : toNumber(a) - toNumber(b);
  return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}

export function floor(value) {
  if (!isExact(value)) return Math.floor(value);
  const quotient = value.n / value.d;
  return fraction(value.n < 0n && value.n % value.d !== 0n ? quotient - 1n : quotient);
}

export function power(base, exponent) {
  if (!isExact(base) || !isExact(exponent) || exponent.d !== 1n) return approximatePower(base, exponent);
  const times = exponent.n < 0n ? -exponent.n : exponent.n;
  const size = BigInt(Math.max(bits(base.n), bits(base.d)));
  const isUnit = base.d === 1n && base.n >= -1n && base.n <= 1n;
  if (!isUnit && size * times > MAX_BITS) return approximatePower(base, exponent);
  // Powers of 0 and ±1 depend on the parity alone, however large the exponent.
  const reduced = isUnit ? (times === 0n ? 0n : 2n - (times % 2n)) : times;
  const [n, d] = [base.n ** reduced, base.d ** reduced];
  return exponent.n < 0n ? fraction(d, n) : fraction(n, d);
}

const approximatePower = (base, exponent) => toNumber(base) ** toNumber(exponent);

/** Exact for squares of fractions, a double otherwise. */
export function squareRoot(value) {
  if (!isExact(value) || value.n < 0n) return Math.sqrt(toNumber(value));
  const [n, d] = [integerRoot(value.n), integerRoot(value.d)];
  return n * n === value.n && d * d === value.d ? fraction(n, d) : Math.sqrt(toNumber(value));
}

/** The whole value as decimal digits, as a fraction where the decimals do not end, or `null` when it is approximate. */
export function toExactText(value) {
  if (!isExact(value)) return null;
  const decimals = countDecimals(value.d);
  if (decimals === null) return `${value.n}/${value.d}`;
  if (decimals === 0) return String(value.n);
  const scaled = (value.n * 10n ** BigInt(decimals)) / value.d;
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(decimals + 1, '0');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** How many decimals `1 / d` has, or `null` when they never end. */
function countDecimals(d) {
  let [rest, twos, fives] = [d, 0, 0];
  for (; rest % 2n === 0n; rest /= 2n) twos++;
  for (; rest % 5n === 0n; rest /= 5n) fives++;
  return rest === 1n ? Math.max(twos, fives) : null;
}

function integerRoot(n) {
  if (n < 2n) return n;
  // Newton's method from above: it falls until it stands on the root.
  let root = 1n << BigInt(Math.ceil(bits(n) / 2));
  for (;;) {
    const next = (root + n / root) / 2n;
    if (next >= root) return root;
    root = next;
  }
}

function gcd(a, b) {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

const bits = (n) => (n < 0n ? -n : n).toString(16).length * 4;
