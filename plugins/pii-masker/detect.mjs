import { findIpv4, findIpv6 } from './addresses.mjs';
import { findCards } from './cards.mjs';
import { findEmails } from './emails.mjs';
import { findPhones } from './phones.mjs';

/** In order: what has a grammar or a check digit is found before what only has a shape. */
const DETECTORS = {
  email: findEmails,
  card: findCards,
  ipv6: findIpv6,
  ipv4: findIpv4,
  phone: findPhones,
};

export const KINDS = Object.keys(DETECTORS);

/** Stands where something was already found: no detector knows it, so findings never overlap. */
const COVER = '\u0000';

/** Everything to mask, sorted by place; `start` and `end` are UTF-16 offsets in `text`. */
export function detect(text, kinds) {
  const findings = [];
  let rest = text;
  for (const kind of KINDS.filter((known) => kinds.includes(known))) {
    const found = withoutOverlaps([...DETECTORS[kind](rest)]);
    rest = replaceSpans(rest, found, ({ start, end }) => COVER.repeat(end - start));
    for (const { start, end } of found) findings.push({ kind, start, end });
  }
  return findings.sort((a, b) => a.start - b.start);
}

/** `text` with each span replaced; spans are sorted and do not overlap. */
export function replaceSpans(text, spans, replace) {
  const pieces = [];
  let from = 0;
  for (const span of spans) {
    pieces.push(text.slice(from, span.start), replace(span));
    from = span.end;
  }
  pieces.push(text.slice(from));
  return pieces.join('');
}

// One detector can see one place in two shapes; spans that touch each other become one, so nothing is left over.
function withoutOverlaps(spans) {
  const merged = [];
  for (const span of spans.sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last !== undefined && span.start < last.end) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}
