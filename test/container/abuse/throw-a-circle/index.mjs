export function execute() {
  const error = new Error('round');
  error.cause = error;
  error.errors = [error, error];
  throw new AggregateError([error], 'and round', { cause: error });
}
