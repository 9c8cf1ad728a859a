export function execute() {
  return execute() + 1;
}
