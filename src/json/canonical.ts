import { escapeControls } from '../printable.ts';

/** The one text of a plain value: keys sorted, no blanks, and every character that steers a terminal escaped. */
export function canonicalJson(value: unknown): string {
  return escapeControls(sortedJson(value));
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${sortedJson(member)}`);
  return `{${members.join(',')}}`;
}
