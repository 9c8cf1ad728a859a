/** Keeps the event loop busy, as other work of the process does. */
export function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
