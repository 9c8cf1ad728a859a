import { cutWhole } from '../printable.ts';

/** The text, cut to `maxChars` UTF-16 units with an ellipsis at its end; no surrogate pair is split. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${cutWhole(text, maxChars - 1)}…`;
}
