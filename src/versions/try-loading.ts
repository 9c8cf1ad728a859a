import type { Ending } from '../calls/ending.ts';
import { FAULT_OF } from '../calls/outcome.ts';
import { LurkboxError, type LurkboxErrorCode, SYSTEM_ERROR_CODES } from '../errors.ts';
import type { PluginSandbox } from '../sandboxes/plugin-sandbox.ts';

const SHOWN_STACK_LINES = 3;
/** A container that only tries to load a plugin gives way to calls; it is tried again this often. */
const TRIES = 3;

/**
 * Returns when the code of a version was loaded where it serves no call: whatever else came of that, it is known that it can be.
 * `full`: its name and number.
 * @throws LurkboxError `PLUGIN_BROKEN` with what it threw, `HOST_RESOURCES` where there is no memory to try it, or a code of
 * the engine
 */
export async function tryLoading(
  full: string,
  sandboxOf: () => PluginSandbox,
  signal: AbortSignal | undefined,
): Promise<void> {
  let ending: Ending | null = null;
  for (let tries = 0; tries < TRIES && ending === null && !signal?.aborted; tries++)
    ending = await sandboxOf().tryLoading(signal);
  signal?.throwIfAborted();
  if (ending === null)
    throw new LurkboxError(
      'HOST_RESOURCES',
      `There is no memory to try whether \`${full}\` can be loaded; free some or raise \`maxMemoryMb\`, and load it again.`,
    );
  if (ending.outcome === 'OK') return;
  const { code, message, stack } = ending.error;
  if (FAULT_OF[ending.outcome] !== 'plugin') {
    const known = Object.hasOwn(SYSTEM_ERROR_CODES, code) ? (code as LurkboxErrorCode) : 'ENGINE_LOST';
    throw new LurkboxError(known, `Nobody knows whether \`${full}\` can be loaded. ${message}`);
  }
  // Before these a stack repeats the message.
  const where = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  throw new LurkboxError('PLUGIN_BROKEN', `The code of \`${full}\` cannot be loaded. ${message}`, {
    problems: where.slice(0, SHOWN_STACK_LINES).map((line) => ({ path: '', message: line.trim() })),
  });
}
