/** How a finding is written in the masked text. Each style returns a function of one finding and its text. */
export const STYLES = {
  /** `[EMAIL]` */
  label: () => (kind) => `[${kind.toUpperCase()}]`,
  /** `[EMAIL_1]`: equal values share a number, so the text can still be followed. */
  numbered: () => {
    const numbers = new Map();
    const totals = new Map();
    return (kind, value) => {
      const key = `${kind} ${identity(kind, value)}`;
      if (!numbers.has(key)) {
        totals.set(kind, (totals.get(kind) ?? 0) + 1);
        numbers.set(key, totals.get(kind));
      }
      return `[${kind.toUpperCase()}_${numbers.get(key)}]`;
    };
  },
  /** `**** **** **** 1111`: what a person needs to recognise their own. */
  partial: () => (kind, value) => PARTIAL[kind](value),
};

const PARTIAL = {
  email: (value) => `***${value.slice(value.indexOf('@'))}`,
  card: keepLastFour,
  phone: keepLastFour,
  ipv4: (value) => value.replace(/\.\d+\.\d+$/, '.*.*'),
  ipv6: (value) => `${value.split(':')[0]}:***`,
};

function keepLastFour(value) {
  let rest = value.replace(/\D/g, '').length - 4;
  return value.replace(/\d/g, (digit) => (rest-- > 0 ? '*' : digit));
}

/** The same telephone number or card, however it is grouped; the same mailbox, whatever its case. */
function identity(kind, value) {
  return kind === 'card' || kind === 'phone' ? value.replace(/\D/g, '') : value.toLowerCase();
}
