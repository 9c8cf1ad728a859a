export function execute() {
  setImmediate(() => {
    throw new Error('loose');
  });
  return 'returned';
}
