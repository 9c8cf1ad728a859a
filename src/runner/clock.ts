import { quote, sendNotification } from './channel.ts';
import { construct, reflectGet, slice, startsWith, uncurry } from './primordials.ts';

// All taken before a plugin can replace them; Node reads the zone anew each time that the variable is written.
const { env } = process;
const { DateTimeFormat } = Intl;
const resolvedOptions = uncurry(DateTimeFormat.prototype.resolvedOptions);
const MAX_SHOWN_CHARS = 64;

const ownZone = env['TZ'] ?? 'UTC';
let zone = ownZone;

/** Has the clock show the time zone that a call names as `TZ` in `environment`, and for one that names none that of the container. */
export function setClock(environment: unknown): void {
  const asked =
    typeof environment === 'object' && environment !== null ? reflectGet(environment, 'TZ') : null;
  const isAsked = typeof asked === 'string' && asked !== '';
  const named = isAsked ? zoneOf(asked) : null;
  show(named ?? ownZone);
  if (!isAsked || named !== null) return;
  const shown = quote(slice(asked, 0, MAX_SHOWN_CHARS));
  const message = `${shown} is no time zone that Node knows, such as "Europe/Zurich"; the clock shows ${ownZone}`;
  sendNotification('warning', `{"path":"context.environment.TZ","message":${quote(message)}}`);
}

/** As Node spells it: in a variable other letters mean another zone, and an offset means none. */
function zoneOf(asked: string): string | null {
  if (asked === zone) return zone;
  if (startsWith(asked, '+') || startsWith(asked, '-')) return null;
  try {
    return resolvedOptions(construct(DateTimeFormat, ['en', { timeZone: asked }])).timeZone;
  } catch {
    return null;
  }
}

// What a plugin wrote there itself stays, as long as no call asks for another one.
function show(name: string): void {
  if (name === zone) return;
  env['TZ'] = name;
  zone = name;
}
