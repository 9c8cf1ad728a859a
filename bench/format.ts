import type { Ratio } from './statistics.ts';

/** What was not measured. */
const NOTHING = '–';

/** Three figures that count. */
export function formatNumber(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return NOTHING;
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return Math.round(value).toString();
  if (magnitude >= 10) return value.toFixed(1);
  if (magnitude >= 0.1 || magnitude === 0) return value.toFixed(2);
  return value.toPrecision(2);
}

export function formatRatio(ratio: Ratio | undefined): string {
  if (ratio === undefined) return NOTHING;
  const [value, low, high] = [ratio.value, ratio.low, ratio.high].map(formatNumber);
  return `${value} (${low} to ${high})`;
}

/** A Markdown table. The first column is words, the others are numbers. */
export function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map(line).join('\n');
}
