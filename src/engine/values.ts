/** How this folder checks values that it does not trust. */

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/** A record that may not be there, or be something else: then none of its fields is there either. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

/** Nothing, false, zero, or a text, list or record without content. */
export function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === false || value === 0;
}

/** A value as it stands in a message. */
export function shorten(value: unknown): string {
  const text = JSON.stringify(value, (_, entry) => (typeof entry === 'function' ? '…' : entry)) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
