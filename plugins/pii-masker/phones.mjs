/**
 * Telephone numbers have no check digit, so only forms that people use for them count. Every repetition is bounded, which
 * keeps the search linear.
 */
const GAP = '[ \\u00a0.\\-/()]{0,2}';
const SHAPES = [
  // +49 (0)30 901820, +1 (555) 010-9999, +8613912345678: at most 15 digits, as E.164 has it.
  `(?<![\\w+])\\+[1-9](?:${GAP}\\d){6,14}(?![\\w])`,
  // 0049 30 901820; a solid run of digits with leading zeros is more often a serial number, and groups of four are an IBAN.
  `(?<![\\w.,-]|\\d{4} )00[1-9]\\d{0,2}(?=[ \\u00a0./(-])(?:${GAP}\\d){6,12}(?![\\w])`,
  // (555) 234-0123, 555-234-0123, 1-800-555-0199
  '(?<![\\w.+-])(?:1[ .-])?(?:\\([2-9]\\d{2}\\) ?|[2-9]\\d{2}[.\\- ])[2-9]\\d{2}[.\\-]\\d{4}(?![\\w-]|\\.\\d)',
  // 139 1234 5678 and 13912345678: mobile numbers in China.
  '(?<![\\w.,+-])1[3-9]\\d(?: \\d{4} |-\\d{4}-|\\d{4})\\d{4}(?![\\w-]|\\.\\d)',
  // 020 7946 0958, 06 12 34 56 78, 0171-1234567, (030) 901820, 010-62781234: a trunk zero and groups.
  '(?<![\\w.,+-]|\\d{4} )\\(?0[1-9]\\d{0,4}\\)?(?:[ \\u00a0/-]\\d{2,8}){1,4}(?![\\w-]|\\.\\d)',
  // Anything after a word that announces it.
  '(?<=(?:\\b(?:phone|tel|telephone|mobile|cell|fax|whatsapp)|电话|手机)[ .:#=：]{0,4}(?:no|number|is|号码|号)?[ .:：]{0,3})(?<!\\d)\\d(?:[ \\u00a0-]?\\d){5,13}(?![\\w])',
].map((shape) => new RegExp(shape, 'gi'));

const MIN_TRUNK_DIGITS = 9;
const MAX_TRUNK_DIGITS = 12;
const TRUNK = 4;
/** 01-02-2026 and 03/04 1999 look like groups after a trunk zero. */
const DATE = /^\d{1,2}[-/ ]\d{1,2}[-/ ](?:19|20)\d{2}\b/;

export function* findPhones(text) {
  for (const [kind, shape] of SHAPES.entries()) {
    for (const { index, 0: written } of text.matchAll(shape)) {
      if (kind !== TRUNK || isTrunkNumber(written)) yield { start: index, end: index + written.length };
    }
  }
}

function isTrunkNumber(written) {
  const digits = written.replace(/\D/g, '').length;
  return digits >= MIN_TRUNK_DIGITS && digits <= MAX_TRUNK_DIGITS && !DATE.test(written);
}
