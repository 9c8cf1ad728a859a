interface Build<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Lets callers that want the same image at the same time share one build. A caller whose signal aborts leaves at once; the build
 * itself is aborted when no caller waits for it any more.
 */
export function createSharedBuilds<T>(): (
  key: string,
  build: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
) => Promise<T> {
  const builds = new Map<string, Build<T>>();

  return async (key, build, signal) => {
    signal?.throwIfAborted();
    const shared = builds.get(key) ?? begin(key, build);
    shared.waiting++;
    try {
      return await abortable(shared.result, signal);
    } finally {
      if (--shared.waiting === 0) leave(key, shared);
    }
  };

  function begin(key: string, build: (signal: AbortSignal) => Promise<T>): Build<T> {
    const controller = new AbortController();
    const shared = { result: build(controller.signal), controller, waiting: 0 };
    builds.set(key, shared);
    return shared;
  }

  function leave(key: string, shared: Build<T>): void {
    shared.controller.abort();
    if (builds.get(key) === shared) builds.delete(key);
  }
}

async function abortable<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([result, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
    // A build that fails after its last caller left has nobody to tell.
    result.catch(() => {});
  }
}
