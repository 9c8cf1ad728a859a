/** What comes of the work; rejects with the signal's reason as soon as that is aborted, whatever becomes of the work. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const leave = (): void => reject(signal.reason);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  return promise;
}
