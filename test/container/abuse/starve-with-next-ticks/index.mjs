export function execute() {
  const again = () => process.nextTick(again);
  again();
  return new Promise(() => {});
}
