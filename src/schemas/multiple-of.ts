import { type FuncKeywordDefinition, str } from 'ajv';

/**
 * `multipleOf` as the numbers are written: 19.99 is a multiple of 0.01, and yet 19.99 / 0.01 is 1998.9999999999998, by which
 * ajv goes.
 */
export const MULTIPLE_OF = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  compile: (divisor: number) => (value: number) => isMultiple(value, divisor),
  // Its errors are the one below.
  errors: false,
  error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` },
} as const satisfies FuncKeywordDefinition;

function isMultiple(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [dividend, by] = [toDecimal(value), toDecimal(divisor)];
  const places = Math.max(dividend.places, by.places);
  return scaled(dividend, places) % scaled(by, places) === 0n;
}

/** `digits` divided by the power of ten that `places` is. */
interface Decimal {
  readonly digits: bigint;
  readonly places: number;
}

function toDecimal(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), places: fraction.length - Number(exponent) };
}

function scaled({ digits, places }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(to - places);
}
