export function execute() {
  const circle = { list: [] };
  circle.list.push(circle);
  return circle;
}
