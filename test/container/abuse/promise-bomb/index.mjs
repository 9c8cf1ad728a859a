export function execute() {
  const kept = [];
  for (;;) kept.push(new Promise((resolve) => kept.at(-1)?.then(resolve)));
}
