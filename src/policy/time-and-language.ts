import * as z from 'zod';

/** What an environment variable can carry. Offsets are left out, because Node takes them for UTC. */
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/;
const MAX_ZONE_CHARS = 64;

/** Language, script and region; what stands after them in a longer tag no environment variable can carry. */
const LOCALE = /^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?$/;

/** Whether Node knows it under exactly this name: in a variable, letters of another case mean another zone. */
function isTimeZone(name: string): boolean {
  if (name.length > MAX_ZONE_CHARS || !ZONE_NAME.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // Node answers with the zone's main name. A name that differs from that only in the case of its letters is not valid.
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/** Whether Node has the words and formats of it. */
function isLocale(tag: string): boolean {
  return LOCALE.test(tag) && Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
}

/** The name of a time zone, as a policy writes it. */
export const timeZone = () =>
  z
    .string(
      'expected the name of a time zone that Node knows, in its own letters, such as "Europe/Zurich" or "UTC"',
    )
    .max(MAX_ZONE_CHARS)
    .refine(isTimeZone);

/** The tag of a language, as a policy writes it. */
export const locale = () =>
  z
    .string(
      'expected a language that Node knows, with its script and region where needed, such as "de-CH" or "zh-Hant-TW"',
    )
    .max(16)
    .refine(isLocale);
