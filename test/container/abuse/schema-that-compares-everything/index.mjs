export function execute() {
  return Array.from({ length: 20_000 }, (_, index) => ({ a: { b: index } }));
}
