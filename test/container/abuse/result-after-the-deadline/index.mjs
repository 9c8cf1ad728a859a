export function execute() {
  return new Promise((resolve) => setTimeout(resolve, 1700, 'too late'));
}
