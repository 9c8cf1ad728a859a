export function execute() {
  const again = () => queueMicrotask(again);
  again();
  return new Promise(() => {});
}
