export function execute() {
  const error = new Error('x'.repeat(10_000_000));
  error.name = 'N'.repeat(10_000_000);
  error.stack = 's'.repeat(10_000_000);
  error.extra = 'e'.repeat(10_000_000);
  throw error;
}
