export function execute() {
  return '\u4eca\u{1f44b}'.repeat(2_390_000);
}
