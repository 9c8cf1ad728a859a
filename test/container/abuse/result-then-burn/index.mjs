export function execute() {
  setImmediate(() => {
    for (;;);
  });
  return 'returned';
}
