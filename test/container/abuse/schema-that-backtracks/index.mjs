export function execute() {
  return `${'a'.repeat(50)}!`;
}
