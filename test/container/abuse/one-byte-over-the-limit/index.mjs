export function execute() {
  // As JSON it has two quotes more.
  return 'x'.repeat(4095);
}
