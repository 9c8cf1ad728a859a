import { findDates } from './dates.ts';
import { type Day, formatDay, parseDay } from './days.ts';
import { toActionItem } from './items.ts';
import { splitSentences } from './sentences.ts';
import type { ActionItem, Context, Host, Result } from './types.ts';

const MAX_LISTED = 200;

/** Finds action items and dates in `inputData.text`, or else in `inputData.user_message`. */
export function execute({ inputData }: Context, host: Host): Result {
  const text = inputData.text ?? inputData.user_message;
  if (text === undefined) return { summary: 'No text to read.', action_items: [] };
  const today = readReferenceDate(inputData.reference_date);
  const items: ActionItem[] = [];
  const dates: NonNullable<Result['dates']> = [];
  for (const sentence of splitSentences(text)) {
    const mentioned = findDates(sentence.text, today);
    const item = toActionItem(sentence, mentioned);
    if (item !== null) items.push(item);
    for (const date of mentioned) dates.push({ ...date, line: sentence.line });
  }
  host.log('debug', `found ${items.length} action items and ${dates.length} dates`);
  const [listedItems, listedDates] = [items.slice(0, MAX_LISTED), dates.slice(0, MAX_LISTED)];
  return {
    summary: summarize(items),
    reference_date: formatDay(today),
    action_items: listedItems,
    dates: listedDates,
    omitted: items.length - listedItems.length + (dates.length - listedDates.length),
  };
}

function readReferenceDate(written: string | undefined): Day {
  if (written === undefined) return Math.floor(Date.now() / 86_400_000);
  const day = parseDay(written);
  if (day === null)
    throw new Error(`\`reference_date\`: expected a day such as 2026-11-30, got "${written}"`);
  return day;
}

function summarize(items: readonly ActionItem[]): string {
  const open = items.filter(({ done }) => !done);
  if (items.length === 0) return 'No action items found.';
  const next = open
    .map(({ due }) => due?.date ?? null)
    .filter((date) => date !== null)
    .sort()[0];
  const soonest = next === undefined ? '' : `, the earliest due ${next}`;
  return `${items.length} action item${items.length === 1 ? '' : 's'}, ${open.length} open${soonest}.`;
}
