export function execute() {
  for (;;) console.error('flood', { a: [1, 2, 3] });
}
