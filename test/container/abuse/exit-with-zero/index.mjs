export function execute() {
  process.exit(0);
}
