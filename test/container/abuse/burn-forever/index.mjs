export function execute() {
  for (;;);
}
