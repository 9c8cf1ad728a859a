export function execute(_context, host) {
  for (let index = 0; index < 100_000; index++) host.progress(index / 100_000);
  return 'done';
}
