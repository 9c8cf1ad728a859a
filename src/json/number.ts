/** `JSON.stringify` writes numbers of up to 25, and a number cannot be read in steps. */
export const MAX_NUMBER_CHARS = 1_000;

/** The characters from `start` on that a number can have, and one more than there may be. */
export function endOfNumber(bytes: Buffer, start: number): number {
  let end = start;
  while (isOfNumber(bytes[end]) && end - start <= MAX_NUMBER_CHARS) end++;
  return end;
}

export const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Whether a number that is written is another one than the one that is read. Fractions are rounded, as everywhere; an integer is
 * not, nor does anything become zero or infinite. What JavaScript writes for a large number is that number.
 */
export function isAnother(text: string, value: number): boolean {
  if (value === 0) return /^-?[0.]*[1-9]/.test(text);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return false;
  if (!Number.isFinite(value)) return true;
  const written = toDecimal(text);
  if (written.exponent < 0) return false;
  const read = toDecimal(String(value));
  if (written.digits === read.digits && written.exponent === read.exponent) return false;
  return BigInt(written.digits) * 10n ** BigInt(written.exponent) !== BigInt(Math.abs(value));
}

/** `-12.50e3` → `125` and 2. */
function toDecimal(text: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = whole + fraction;
  let [start, end] = [0, all.length];
  while (start < end && all[start] === '0') start++;
  while (end > start && all[end - 1] === '0') end--;
  return { digits: all.slice(start, end), exponent: Number(power) - fraction.length + all.length - end };
}

function isOfNumber(byte = 0): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true;
  return byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;
}
