import { LurkboxError } from '../index.ts';
import { tell } from './output.ts';

/** Ctrl-C cancels, and the containers are removed before the process ends; the second one does not wait. */
export function interruption(what = 'cancelling'): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      tell(`lurkbox: ${what}; once more to leave at once`);
      controller.abort(new LurkboxError('CANCELLED', `Interrupted by ${signal}.`));
    });
  }
  return controller.signal;
}
