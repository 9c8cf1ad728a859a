import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const LOOPBACK = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
] as const;

type Address = (typeof LOOPBACK)[number];

/**
 * Has `localhost` be the loopback where the container has no network: an engine lays an empty `/etc/hosts` over that of the
 * image then, and a plugin that talks to a server of its own looks for it by that name.
 */
export function nameLoopback(): void {
  if (isNamed()) return;
  const { lookup, promises } = dns;
  const { lookup: lookupLater } = promises;
  dns.lookup = like(lookup, (name: string, ...rest: unknown[]) => {
    const callback = rest.at(-1);
    const found = findLoopback(name, rest[0]);
    if (found === null || typeof callback !== 'function') return Reflect.apply(lookup, dns, [name, ...rest]);
    const [first] = found.addresses;
    if (found.isAll) process.nextTick(callback as () => void, null, found.addresses);
    else process.nextTick(callback as () => void, null, first.address, first.family);
    return {};
  });
  promises.lookup = like(lookupLater, async (name: string, options?: unknown) => {
    const found = findLoopback(name, options);
    if (found === null) return Reflect.apply(lookupLater, promises, [name, options]);
    return found.isAll ? found.addresses : found.addresses[0];
  });
  syncBuiltinESMExports();
}

function isNamed(): boolean {
  try {
    return readFileSync('/etc/hosts', 'latin1').includes('localhost');
  } catch {
    return true;
  }
}

/** Only for what both were asked for in a way that needs no judging: Node tells what is wrong with the rest. */
function findLoopback(
  name: unknown,
  written: unknown,
): { isAll: boolean; addresses: [Address, ...Address[]] } | null {
  if (typeof name !== 'string' || !/^(?:.+\.)?localhost\.?$/i.test(name)) return null;
  const options = typeof written === 'number' ? { family: written } : (written ?? {});
  const { all = false, family = 0 } = options as { all?: unknown; family?: unknown };
  const isFour = family === 4 || family === 'IPv4';
  const isSix = family === 6 || family === 'IPv6';
  if (!isFour && !isSix && family !== 0) return null;
  const [four, six] = LOOPBACK;
  return { isAll: all === true, addresses: isFour ? [four] : isSix ? [six] : [four, six] };
}

/** With what `promisify` and others find on the original. */
function like<Original extends object>(original: Original, replacement: unknown): Original {
  const own = Object.getOwnPropertyDescriptors(original);
  return Object.defineProperties(replacement as Original, own);
}
