export function execute() {
  const kept = [];
  for (;;) kept.push(Buffer.alloc(4 * 1024 * 1024, 1));
}
