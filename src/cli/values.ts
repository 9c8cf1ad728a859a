import { closest } from '../closest.ts';

/** What was written cannot be the value of an option or an argument; the message says what could. */
export class InvalidValueError extends Error {}

export function toCount(text: string): number {
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidValueError('Expected a whole number from 1 to 1000000.');
}

export function toPercent(text: string): number {
  const percent = Number(text);
  if (text.trim() !== '' && percent > 0 && percent < 100) return percent;
  throw new InvalidValueError('Expected a share in percent, above 0 and below 100, such as 10.');
}

export function toSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new InvalidValueError('Expected seconds, such as 2.5.');
}

/** One of a closed set. */
export function toChoice(choices: readonly string[]): (text: string) => string {
  return (text) => {
    if (choices.includes(text)) return text;
    const meant = closest(text, choices);
    const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
    throw new InvalidValueError(`Allowed choices are ${choices.join(', ')}.${hint}`);
  };
}
