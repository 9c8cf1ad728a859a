export function execute() {
  setInterval(() => {}, 0);
  const again = () => setImmediate(again);
  again();
  return new Promise(() => {});
}
