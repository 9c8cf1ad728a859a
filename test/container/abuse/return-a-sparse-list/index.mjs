export function execute() {
  const sparse = [];
  sparse[3_000_000] = 1;
  return sparse;
}
