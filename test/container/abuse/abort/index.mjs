export function execute() {
  process.abort();
}
