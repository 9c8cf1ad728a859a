import { createContext, Script } from 'node:vm';

const watched: { work: () => unknown } = { work: () => undefined };
const context = createContext(Object.assign(Object.create(null), { call: () => watched.work() }));
const script = new Script('call()');

/**
 * V8 itself ends the work, also in the middle of a match; only while it turns a regular expression into machine code does
 * it hear nobody. `vm` is the watchdog here, not a wall: the work is our own function.
 */
export function withinDeadline(timeoutMs: number, work: () => void): 'done' | 'late' {
  watched.work = work;
  try {
    script.runInContext(context, { timeout: Math.max(1, Math.round(timeoutMs)) });
    return 'done';
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'late';
    throw error;
  } finally {
    watched.work = () => undefined;
  }
}
