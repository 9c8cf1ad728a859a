export function execute() {
  return { ['k'.repeat(16 * 1024 * 1024 - 200)]: 1 };
}
