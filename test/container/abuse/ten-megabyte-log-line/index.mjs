export function execute(_context, host) {
  console.log('c'.repeat(10_000_000));
  host.log('info', 'h'.repeat(10_000_000));
  console.log({ text: 't'.repeat(10_000_000) });
  return 'short';
}
