// Issuers by leading digits, with the lengths they give out. Together with the check digit this leaves about one random
// number of sixteen digits in fifty.
const ISSUERS = [
  { prefix: /^4/, lengths: [13, 16, 19] }, // Visa
  { prefix: /^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] }, // Mastercard
  { prefix: /^3[47]/, lengths: [15] }, // American Express
  { prefix: /^(?:30[0-5]|3[689])/, lengths: [14, 16, 19] }, // Diners Club
  { prefix: /^(?:6011|64[4-9]|65)/, lengths: [16, 19] }, // Discover
  { prefix: /^35(?:2[89]|[3-8])/, lengths: [16, 19] }, // JCB
  { prefix: /^62/, lengths: [16, 17, 18, 19] }, // UnionPay
  { prefix: /^(?:5018|5020|5038|5893|6304|6759|676[1-3])/, lengths: [13, 14, 15, 16, 17, 18, 19] }, // Maestro
  { prefix: /^220[0-4]/, lengths: [16, 17, 18, 19] }, // Mir
  { prefix: /^(?:508|60|8[12])/, lengths: [16] }, // RuPay
  { prefix: /^9792/, lengths: [16] }, // Troy
];

/** As printed on the card: in fours, American Express and Diners in 4-6-5 and 4-6-4, or solid. The longest comes first. */
const SHAPES = [
  /(?<![\w.])\d{4}([ \u00a0-])\d{4}\1\d{4}\1\d{4}\1\d{1,3}(?!\w)/g,
  /(?<![\w.])\d{4}([ \u00a0-])\d{4}\1\d{4}\1\d{4}(?!\w)/g,
  /(?<![\w.])\d{4}([ \u00a0-])\d{6}\1\d{4,5}(?!\w)/g,
  /(?<![\w.])\d{13,19}(?!\w)/g,
];

export function* findCards(text) {
  for (const shape of SHAPES) {
    for (const { index, 0: written } of text.matchAll(shape)) {
      if (isCardNumber(written.replace(/\D/g, ''))) yield { start: index, end: index + written.length };
    }
  }
}

export function isCardNumber(digits) {
  const isIssued = ISSUERS.some(
    ({ prefix, lengths }) => lengths.includes(digits.length) && prefix.test(digits),
  );
  return isIssued && passesLuhn(digits);
}

/** The check digit of ISO/IEC 7812: every second digit from the right counts twice, less 9 when that passes 9. */
export function passesLuhn(digits) {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48;
    const weighted = at % 2 === 1 ? digit * 2 : digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}
