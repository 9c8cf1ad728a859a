export function execute() {
  throw null;
}
