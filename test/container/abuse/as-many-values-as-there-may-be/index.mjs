export function execute() {
  return Array.from({ length: 33_000 }, (_, index) => ({ [index.toString(36)]: [] }));
}
