import { LurkboxError } from '../errors.ts';

/** How long each call to the engine may take, in milliseconds, on a host that is busy but alive. */
export const DEADLINES_MS = {
  'ask the engine what it is': 10_000,
  'create a container': 30_000,
  'inspect a container': 10_000,
  'attach to a container': 10_000,
  'start a container': 30_000,
  'wait for a container': 30_000,
  'remove a container': 30_000,
  'list containers': 10_000,
  'create a network': 20_000,
  'remove a network': 20_000,
  'list networks': 10_000,
  'inspect an image': 10_000,
  'list images': 20_000,
  'load an image': 300_000,
  'export an image': 60_000,
  'build an image': 600_000,
  'remove an image': 60_000,
} as const;

export type EngineAction = keyof typeof DEADLINES_MS;

/** Runs one call under its deadline. The signal ends the request, the race ends our waiting even if that does not. */
export async function withDeadline<T>(
  action: EngineAction,
  call: (signal: AbortSignal) => Promise<T>,
  deadlineMs: number = DEADLINES_MS[action],
): Promise<T> {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new LurkboxError(
        'ENGINE_TIMEOUT',
        `Could not ${action}: the engine gave no answer within ${deadlineMs} ms. ` +
          'It hangs, or its host is overloaded: look at its log.',
      ),
    );
    controller.abort();
  }, deadlineMs);
  try {
    return await Promise.race([call(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}
