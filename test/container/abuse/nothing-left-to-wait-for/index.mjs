export function execute() {
  setTimeout(() => {}, 60_000).unref();
  return new Promise(() => {});
}
