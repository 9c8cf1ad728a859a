export function execute() {
  const again = () => {
    for (let index = 0; index < 100; index++) process.stdout.write('x'.repeat(100_000));
    setImmediate(again);
  };
  again();
  return new Promise(() => {});
}
