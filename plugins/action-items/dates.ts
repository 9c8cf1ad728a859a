import {
  addMonths,
  type Day,
  endOfMonth,
  formatDay,
  inWeek,
  nextDate,
  nextWeekday,
  toDay,
  weekdayOf,
} from './days.ts';
import { findTime } from './times.ts';
import type { DateMention } from './types.ts';

type Found = DateMention & { start: number; end: number };

interface Rule {
  readonly pattern: RegExp;
  /** `null` when the text does not decide the day. */
  readonly resolve: (groups: Record<string, string | undefined>, today: Day) => Day | null;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH =
  '(?<month>(?:january|february|march|april|may|june|july|august|september|october|november|december)\\b|' +
  '(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\\b(?:\\.(?=,? \\d))?)';
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const WEEKDAY = '(?<weekday>monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const CHINESE_WEEKDAYS = '一二三四五六日';
const FRIDAY = 4;

const number = (text: string | undefined): number => Number(text ?? Number.NaN);
const monthOf = (name = ''): number => MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1;
const weekdayIndex = (name = ''): number => WEEKDAYS.indexOf(name.slice(0, 3).toLowerCase());
const chineseWeekday = (name = ''): number => CHINESE_WEEKDAYS.indexOf(name === '天' ? '日' : name);

/** With a year that day, without one the next time it comes. */
const onDate = (today: Day, month: number, date: number, year: string | undefined): Day | null =>
  year === undefined ? nextDate(today, month, date) : toDay(number(year), month, date);

/** The first rule that matches a place decides it. */
const RULES: readonly Rule[] = [
  {
    pattern: /(?<!\d)(?<year>\d{4})-(?<month>\d{2})-(?<date>\d{2})(?!\d)/g,
    resolve: ({ year, month, date }) => toDay(number(year), number(month), number(date)),
  },
  {
    pattern: /(?:(?<year>\d{4})年)?(?<!\d)(?<month>\d{1,2})月(?<date>\d{1,2})[日号]/g,
    resolve: ({ year, month, date }, today) => onDate(today, number(month), number(date), year),
  },
  {
    pattern: new RegExp(
      `\\b(?<date>\\d{1,2})(?:st|nd|rd|th)?(?: of)? ${MONTH}(?:,? (?<year>\\d{4}))?(?![\\w])`,
      'gi',
    ),
    resolve: ({ year, month, date }, today) => onDate(today, monthOf(month), number(date), year),
  },
  {
    pattern: new RegExp(
      `\\b${MONTH} (?<date>\\d{1,2})(?:st|nd|rd|th)?(?:,? (?<year>\\d{4}))?(?![\\w:])`,
      'gi',
    ),
    resolve: ({ year, month, date }, today) => onDate(today, monthOf(month), number(date), year),
  },
  {
    pattern: /(?<![\d.])(?<date>\d{1,2})\.(?<month>\d{1,2})\.(?<year>\d{4})(?!\d)/g,
    resolve: ({ year, month, date }) => toDay(number(year), number(month), number(date)),
  },
  {
    pattern: /(?<![\d/])(?<first>\d{1,2})\/(?<second>\d{1,2})\/(?<year>\d{4})(?!\d)/g,
    resolve: ({ first, second, year }) => onlyReading(number(first), number(second), number(year)),
  },
  { pattern: /\b(?:the )?day after tomorrow\b|后天/gi, resolve: (_, today) => today + 2 },
  { pattern: /\btomorrow\b|明天|明早|明晚/gi, resolve: (_, today) => today + 1 },
  {
    pattern: /\b(?:today|tonight|end of (?:the )?day|eod|cob)\b|今天|今晚/gi,
    resolve: (_, today) => today,
  },
  {
    pattern: /\b(?:end of (?:the |this )?week|eow)\b|本周末|这周末/gi,
    resolve: (_, today) => inWeek(today, FRIDAY, weekdayOf(today) > FRIDAY ? 1 : 0),
  },
  { pattern: /\b(?:end of (?:the |this )?month|eom)\b|月底/gi, resolve: (_, today) => endOfMonth(today) },
  {
    pattern: new RegExp(`\\bnext ${WEEKDAY}\\b`, 'gi'),
    resolve: ({ weekday }, today) => inWeek(today, weekdayIndex(weekday), 1),
  },
  {
    pattern: new RegExp(`\\bthis ${WEEKDAY}\\b`, 'gi'),
    resolve: ({ weekday }, today) => inWeek(today, weekdayIndex(weekday)),
  },
  {
    pattern: new RegExp(`\\b${WEEKDAY}\\b`, 'gi'),
    resolve: ({ weekday }, today) => nextWeekday(today, weekdayIndex(weekday)),
  },
  {
    // `Sat` and `Sun` are words of their own.
    pattern: /\b(?<weekday>Mon|Tues?|Wed|Thu(?:rs)?|Fri)\b/g,
    resolve: ({ weekday }, today) => nextWeekday(today, weekdayIndex(weekday)),
  },
  {
    pattern: /下周(?<weekday>[一二三四五六日天])/g,
    resolve: ({ weekday }, today) => inWeek(today, chineseWeekday(weekday), 1),
  },
  {
    pattern: /[本这]周(?<weekday>[一二三四五六日天])/g,
    resolve: ({ weekday }, today) => inWeek(today, chineseWeekday(weekday)),
  },
  {
    pattern: /(?:周|星期|礼拜)(?<weekday>[一二三四五六日天])/g,
    resolve: ({ weekday }, today) => nextWeekday(today, chineseWeekday(weekday)),
  },
  {
    pattern:
      /\b(?:in|within) (?<count>\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten) (?<unit>day|week|month)s?\b/gi,
    resolve: ({ count, unit }, today) => later(today, toCount(count), unit),
  },
  {
    pattern: /(?<!\d)(?<count>\d{1,3})(?<unit>天|周)[之以]?[内后]/g,
    resolve: ({ count, unit }, today) => today + number(count) * (unit === '周' ? 7 : 1),
  },
  // A week or a month is no day; what has to be done in it is due on no day in particular.
  { pattern: /\bnext (?:week|month|quarter)\b|下周|下个月/gi, resolve: () => null },
];

const DEADLINE_BEFORE =
  /(?:\b(?:by|before|until|till|due|due (?:on|by|date:?)|no later than|not later than|deadline(?: is|:)?(?: on)?|within)|截止(?:日期|时间)?[为是到:：]?|最晚)\s*(?:the\s)?$/i;
const DEADLINE_AFTER = /^\s?(?:\d{1,2}[点:：]\d{0,2}\s?)?(?:之?前|以前|截止)|^\s(?:deadline|at the latest)/i;
const DEADLINE_ITSELF = /^(?:eod|eow|eom|cob|end of|within)/i;

/** Every date in a sentence, in order. */
export function findDates(sentence: string, today: Day): DateMention[] {
  const found: Found[] = [];
  for (const { pattern, resolve } of RULES) {
    for (const match of sentence.matchAll(pattern)) {
      const [start, end] = [match.index, match.index + match[0].length];
      if (found.some((other) => start < other.end && other.start < end)) continue;
      const day = resolve(match.groups ?? {}, today);
      if (day === null && /\d/.test(match[0]) && !isOpenDate(match[0])) continue;
      found.push({
        ...describe(sentence, start, end),
        date: day === null ? null : formatDay(day),
        start,
        end,
      });
    }
  }
  return found
    .sort((a, b) => a.start - b.start)
    .map(({ text, date, time, is_deadline }) => ({ text, date, time, is_deadline }));
}

function describe(sentence: string, start: number, end: number): Omit<DateMention, 'date'> {
  const text = sentence.slice(start, end);
  const before = sentence.slice(Math.max(0, start - 40), start);
  const after = sentence.slice(end, end + 20);
  const is_deadline =
    DEADLINE_BEFORE.test(before) || DEADLINE_AFTER.test(after) || DEADLINE_ITSELF.test(text);
  return { text, time: findTime(before, after), is_deadline };
}

// 03/04/2026 is a date that is left open; 31/31/2026 and 2026-02-30 are none at all.
const isOpenDate = (text: string): boolean => {
  const [first = 0, second = 0] = text.split('/').map(Number);
  return text.includes('/') && first >= 1 && first <= 12 && second >= 1 && second <= 12;
};

function onlyReading(first: number, second: number, year: number): Day | null {
  const dayFirst = toDay(year, second, first);
  const monthFirst = toDay(year, first, second);
  if (dayFirst !== null && monthFirst !== null && dayFirst !== monthFirst) return null;
  return dayFirst ?? monthFirst;
}

function toCount(text = ''): number {
  const lower = text.toLowerCase();
  return /^\d/.test(lower) ? Number(lower) : Math.max(1, NUMBERS.indexOf(lower));
}

function later(today: Day, count: number, unit = ''): Day {
  if (unit.toLowerCase() === 'month') return addMonths(today, count);
  return today + count * (unit.toLowerCase() === 'week' ? 7 : 1);
}
