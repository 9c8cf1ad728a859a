import { cutWhole } from '../printable.ts';

/** A text of at most so many UTF-16 units, the last of them an ellipsis where something was cut off; no pair is split. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${cutWhole(text, maxChars - 1)}…`;
}
