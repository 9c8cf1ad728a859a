export function execute() {
  return 'x'.repeat(16 * 1024 * 1024 - 200);
}
