export function execute() {
  return /^(a+)+$/.test(`${'a'.repeat(50)}!`);
}
