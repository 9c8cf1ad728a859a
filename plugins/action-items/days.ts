/** A day, as days since 1970-01-01, so that tomorrow is one more. */
export type Day = number;

const DAY_MS = 86_400_000;

/** `null` when there is no such day. */
export function toDay(year: number, month: number, date: number): Day | null {
  const time = new Date(Date.UTC(year, month - 1, date));
  const exists = time.getUTCMonth() === month - 1 && time.getUTCDate() === date && year >= 1000;
  return exists ? time.getTime() / DAY_MS : null;
}

export function parseDay(iso: string): Day | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(iso);
  return match === null ? null : toDay(Number(match[1]), Number(match[2]), Number(match[3]));
}

export const formatDay = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

/** 0 is Monday. */
export const weekdayOf = (day: Day): number => (((day + 3) % 7) + 7) % 7;

/** The weekday (0 is Monday) of the week that is `weeks` after that of `day`. */
export const inWeek = (day: Day, weekday: number, weeks = 0): Day =>
  day - weekdayOf(day) + weekday + 7 * weeks;

/** The next such weekday after `day`, never `day` itself. */
export const nextWeekday = (day: Day, weekday: number): Day =>
  day + 1 + ((((weekday - weekdayOf(day) - 1) % 7) + 7) % 7);

/** The same date in a later month, or the last day of that month when it is shorter. */
export function addMonths(day: Day, months: number): Day {
  const { year, month, date } = partsOf(day);
  const last = new Date(Date.UTC(year, month - 1 + months + 1, 0));
  return last.getTime() / DAY_MS - Math.max(0, last.getUTCDate() - date);
}

export function endOfMonth(day: Day): Day {
  const { year, month } = partsOf(day);
  return Date.UTC(year, month, 0) / DAY_MS;
}

/** The next time that this date of the year comes, `day` included. */
export function nextDate(day: Day, month: number, date: number): Day | null {
  const { year } = partsOf(day);
  // Eight years reach over a century without a leap year, for 29 February.
  for (let ahead = 0; ahead <= 8; ahead++) {
    const candidate = toDay(year + ahead, month, date);
    if (candidate !== null && candidate >= day) return candidate;
  }
  return null;
}

function partsOf(day: Day): { year: number; month: number; date: number } {
  const time = new Date(day * DAY_MS);
  return { year: time.getUTCFullYear(), month: time.getUTCMonth() + 1, date: time.getUTCDate() };
}
