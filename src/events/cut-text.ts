/** A text of at most so many UTF-16 units, the last of them an ellipsis where something was cut off; no pair is split. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${text.slice(0, maxChars - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
