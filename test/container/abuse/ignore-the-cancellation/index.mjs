export function execute(_context, host) {
  host.signal.addEventListener('abort', () => {
    for (;;);
  });
  process.on('SIGTERM', () => {});
  return new Promise((resolve) => setTimeout(resolve, 60_000));
}
