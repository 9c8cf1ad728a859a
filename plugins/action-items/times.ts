const CLOCK =
  '(?<hour>\\d{1,2})(?:[:.](?<minute>\\d{2}))? ?(?<half>[ap])\\.?m\\b|(?<hour24>\\d{1,2}):(?<minute24>\\d{2})(?!\\d)';
const AFTER = new RegExp(`^(?:,| at|, at| by| before)? ?(?:${CLOCK})`, 'i');
const BEFORE = new RegExp(`(?<![\\d:.])(?:${CLOCK})(?: on| by|,)? ?$`, 'i');
const CHINESE = /^(?<part>上午|早上|下午|晚上)?\s?(?<hour>\d{1,2})(?:点(?<half>半)?|[:：](?<minute>\d{2}))/;

/** The time of day that belongs to a date, from the text just before and after it. */
export function findTime(before: string, after: string): string | null {
  const chinese = CHINESE.exec(after)?.groups;
  if (chinese !== undefined) {
    const isLate = chinese['part'] === '下午' || chinese['part'] === '晚上';
    const minute = chinese['half'] === undefined ? Number(chinese['minute'] ?? 0) : 30;
    return toTime(toHour(Number(chinese['hour']), isLate), minute);
  }
  const groups = (AFTER.exec(after) ?? BEFORE.exec(before))?.groups;
  if (groups === undefined) return null;
  if (groups['hour24'] !== undefined) return toTime(Number(groups['hour24']), Number(groups['minute24']));
  const hour = Number(groups['hour']);
  if (hour < 1 || hour > 12) return null;
  const isLate = groups['half']?.toLowerCase() === 'p';
  return toTime(hour === 12 && !isLate ? 0 : toHour(hour, isLate), Number(groups['minute'] ?? 0));
}

const toHour = (hour: number, isLate: boolean): number => (isLate && hour < 12 ? hour + 12 : hour);

function toTime(hour: number, minute: number): string | null {
  if (hour > 23 || minute > 59) return null;
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}
